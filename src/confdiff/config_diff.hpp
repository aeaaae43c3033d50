// The way in: what changes between two sets of files of one configuration, and what that takes.
//
//   const DiffResult diff = diff_config(Kind::nginx, on_disk, wanted, "/etc/nginx/nginx.conf",
//                                       Context{"/healthz", 80});
//   diff.summary.text          // "+3 −1, only upstream pool change, no listen port changes"
//   diff.summary.change_class  // ChangeClass::reload
//   fmt::print("{}", render_changes(diff.changes));
//
// Never throws on any input, never reads a disk. A configuration that does not parse is an answer,
// not a failure: `after` broken is human_only with the place, `before` broken is at least a
// restart.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "confdiff/types.hpp"

namespace hitless::confdiff {

[[nodiscard]] DiffResult diff_config(Kind kind, const Files& before, const Files& after,
                                     const std::string& main_path, const Context& context);
// Files are one configuration, main_path where it starts. By path alone: /etc/nginx/…,
// haproxy*.cfg, units and their drop-ins, *.env and /etc/default/…; anything else is text.
[[nodiscard]] Kind guess_kind(std::string_view path);

[[nodiscard]] Summary summarize(const std::vector<Change>& changes);
// Lines of at most 80 columns, escaped: "  ~ http > upstream api > server …  weight=1 → weight=2
// reload".
[[nodiscard]] std::string render_changes(const std::vector<Change>& changes);

// SHA-256 over all paths and contents, unambiguous and independent of anything else.
[[nodiscard]] std::string config_digest(const Files& files);

}  // namespace hitless::confdiff
