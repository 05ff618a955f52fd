#include "guest/graph/args.hpp"

namespace unibpf {

Args::Found Args::take(std::string_view keyword, bool positional) {
    for (Arg& arg : args_) {
        if (arg.used || arg.keyword != keyword) continue;
        arg.used = true;
        return {arg.value, arg.place, true};
    }
    if (!positional) return {};
    for (Arg& arg : args_) {
        if (arg.used || !arg.keyword.empty()) continue;
        arg.used = true;
        return {arg.text, arg.place, true};
    }
    return {};
}

bool Args::read(std::string_view keyword, How how, Target target) {
    const Found found = take(keyword, how.positional);
    if (!found.present) {
        if (how.must) error("missing argument `", keyword, "`");
        return false;
    }
    if (target.convert(found.text, target.value)) return true;
    errors_.add(found.place, "`", element_, "`: argument `", keyword, "`: got `", found.text, "`, expected ", target.expected);
    return false;
}

const Arg* Args::next() {
    for (Arg& arg : args_) {
        if (arg.used) continue;
        arg.used = true;
        return &arg;
    }
    return nullptr;
}

const Arg* Args::next(std::string_view keyword) {
    for (Arg& arg : args_) {
        if (arg.used || arg.keyword != keyword) continue;
        arg.used = true;
        return &arg;
    }
    return nullptr;
}

std::size_t Args::left() const {
    std::size_t n = 0;
    for (const Arg& arg : args_) n += !arg.used;
    return n;
}

void Args::complete() {
    for (const Arg& arg : args_)
        if (!arg.used) errors_.add(arg.place, "`", element_, "`: unknown argument `", arg.text, "`");
}

}  // namespace unibpf
