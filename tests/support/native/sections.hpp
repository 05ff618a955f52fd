// Text test files: sections that start with a line `%name argument`, comments after `# ` at line starts.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace unibpf::test {

struct Section {
    std::string name;
    std::string argument;
    std::string text;                // every line with its end
    std::vector<std::string> lines;  // without comments and empty lines
};

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

// What stands before the first `%` line is the section "".
inline std::vector<Section> read_sections(const std::filesystem::path& path) {
    std::vector<Section> sections(1);
    std::istringstream text{read_file(path)};
    for (std::string line; std::getline(text, line);) {
        if (line.starts_with('%')) {
            const auto blank = line.find(' ');
            Section section;
            section.name = line.substr(1, blank == std::string::npos ? blank : blank - 1);
            section.argument = blank == std::string::npos ? "" : line.substr(blank + 1);
            sections.push_back(section);
            continue;
        }
        sections.back().text += line + "\n";
        if (!line.empty() && !line.starts_with("#")) sections.back().lines.push_back(line);
    }
    return sections;
}

inline std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder, const std::string& extension) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator{folder})
        if (entry.path().extension() == extension) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    return paths;
}

}  // namespace unibpf::test
