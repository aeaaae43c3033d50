#include "cli/load.hpp"

#include <cstdio>

namespace hitless::cli {

std::optional<fleet::Fleet> load_fleet_or_complain(const App& app,
                                                   std::vector<fleet::Diagnostic>* findings) {
  fleet::LoadResult loaded = fleet::load_fleet(fleet_path(app));
  if (!loaded.diagnostics.empty())
    std::fputs(app.err.plain(fleet::render(loaded.diagnostics, app.err.color)).c_str(), stderr);
  if (findings != nullptr) *findings = std::move(loaded.diagnostics);
  return std::move(loaded.fleet);
}

}  // namespace hitless::cli
