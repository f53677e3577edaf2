-- Binary trees that come and go, and strings that are put together and counted; COUNT times.
local function tree(depth)
    if depth == 0 then return {} end
    return { tree(depth - 1), tree(depth - 1) }
end

local function size(node)
    if not node[1] then return 1 end
    return 1 + size(node[1]) + size(node[2])
end

local long = tree(13)
for turn = 1, tonumber(arg[1]) do
    assert(size(tree(12)) == 8191)
    local seen, parts = {}, {}
    for i = 1, 4000 do
        local word = "w" .. (i * 7919 % 1013) .. ":" .. turn
        seen[word] = (seen[word] or 0) + 1
        parts[#parts + 1] = word
    end
    assert(#table.concat(parts, " ") > 4000)
end
assert(size(long) == 16383)
