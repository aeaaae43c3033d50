// What a program runs, as far as hitless has seen it: at a proven reload or restart the
// configuration that was on disk just before it is kept here, and the preflight compares what is on
// disk with it. So somebody else's edit is shown as what it changes, before a reload would activate
// it, and a file that was only touched is no edit.
//
// - Wraps any driver of a service. Kept only if the files did not change while the program was
// told;
//   compared only while the very same run of it (process and workers) still serves. Otherwise the
//   driver's own line, by the files' times, stands.
// - On this machine, one private file for each instance, with secrets redacted: a hash tells that a
//   secret changed. Written whole or not at all; one that cannot be read is as none.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "confdiff/types.hpp"
#include "ports/service.hpp"

namespace hitless::service {

struct LoadedConfig {
  std::string run;  // who read it: process and workers
  TimeMs proven_at = 0;
  struct File {
    std::string sha256, text;  // redacted; empty where it is too long to be kept
  };
  std::map<std::string, File> files;
};
[[nodiscard]] std::string write_loaded(const LoadedConfig& loaded);
[[nodiscard]] std::optional<LoadedConfig> read_loaded(std::string_view text);

// Nothing when they are the same; else the line of the preflight.
[[nodiscard]] std::optional<core::Check> compare_loaded(const LoadedConfig& loaded,
                                                        const ports::Files& on_disk,
                                                        confdiff::Kind kind,
                                                        const std::string& main_config);

// state_file: its folder is made when something is kept.
[[nodiscard]] std::unique_ptr<ports::Service> make_remembering_service(
    std::unique_ptr<ports::Service> service, std::string state_file, confdiff::Kind kind,
    std::string main_config);

}  // namespace hitless::service
