// A unit that makes a C++ compiler work: many templates of the standard library, over several types.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N> struct Tagged {
    std::string name;
    std::vector<int> values;
    bool operator<(const Tagged &other) const { return std::tie(name, values) < std::tie(other.name, other.values); }
};

template <int N> size_t work(const std::string &text) {
    std::map<Tagged<N>, std::unordered_map<std::string, std::vector<Tagged<N>>>> table;
    std::variant<int, std::string, Tagged<N>> one = Tagged<N>{text, {N}};
    std::function<size_t(const Tagged<N> &)> size = [&](const Tagged<N> &tagged) { return tagged.name.size() + N; };
    std::vector<std::shared_ptr<Tagged<N>>> shared(N + 1, std::make_shared<Tagged<N>>());
    std::stable_sort(shared.begin(), shared.end(), [](const auto &a, const auto &b) { return *a < *b; });
    for (const auto &tagged : shared) table[*tagged]["key"].push_back(*tagged);
    size_t sum = std::visit([&](const auto &) { return table.size(); }, one);
    return std::accumulate(shared.begin(), shared.end(), sum,
                           [&](size_t total, const auto &tagged) { return total + size(*tagged); });
}

template <int... N> size_t all(std::integer_sequence<int, N...>, const std::string &text) {
    return (work<N>(text) + ... + 0);
}

int main(int argc, char **) {
    std::ostringstream text;
    text << argc;
    std::cout << all(std::make_integer_sequence<int, 2>(), text.str()) << '\n';
}
