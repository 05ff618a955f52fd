// Texts of scripts: variables and calls in them replaced, quotes taken away, cut into words.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace unibpf::click {

// What a `$name` (call false) or the inside of a `$( ... )` (call true) stands for; nothing: it stays as it is.
using Meaning = std::function<std::optional<std::string>(std::string_view inside, bool call)>;

// `quote`: what is put in is protected, so that `unquoted` gives it back as it was.
std::string expanded(std::string_view text, bool quote, const Meaning& meaning);
std::string unquoted_text(std::string_view text);
// Cut at blanks outside quotes; each word unquoted.
std::vector<std::string> words_of(std::string_view text);
// The first word, as it stands, taken off `text`.
std::string_view take_word(std::string_view& text);

}  // namespace unibpf::click
