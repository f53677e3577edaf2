# Strings longer than Ruby embeds in its objects, hashes and arrays of them; COUNT times.
kept = []
Integer(ARGV[0]).times do |turn|
  words = Array.new(4000) { |i| "a word that is not embedded #{i * 7919 % 1009} of #{turn}" }
  counts = words.group_by { |word| word[27, 4] }.transform_values(&:size)
  text = words.map(&:upcase).join(" ")
  kept << text.split(" ").uniq
  kept.shift if kept.size > 4
  raise unless counts.values.sum == 4000
end
