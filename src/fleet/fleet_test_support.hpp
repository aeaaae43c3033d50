// For the tests of this folder: a temporary folder with files, and a load in one line.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/digest.hpp"
#include "fleet/fleet.hpp"

namespace hitless::fleet {

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("hl-fleet-" + random_hex(6))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string write(const std::string& name, const std::string& content) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file.string();
  }
  [[nodiscard]] std::string path() const { return path_.string(); }
  [[nodiscard]] LoadResult load(const std::string& content) const {
    return load_fleet(write("hitless.yaml", content));
  }

 private:
  std::filesystem::path path_;
};

inline LoadResult load_text(const std::string& content) {
  return Folder().load(content);
}

inline const Diagnostic* find(const LoadResult& result, const std::string& code) {
  for (const auto& d : result.diagnostics)
    if (d.code == code) return &d;
  return nullptr;
}

inline std::string codes_of(const LoadResult& result) {
  std::string codes;
  for (const auto& d : result.diagnostics)
    codes += (codes.empty() ? "" : " ") + d.code + (d.severity == Severity::warning ? "w" : "") +
             "@" + std::to_string(d.line) + ":" + std::to_string(d.column);
  return codes;
}

}  // namespace hitless::fleet
