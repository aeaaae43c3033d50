#include "cli/planned_sources.hpp"

#include <algorithm>

#include "base/digest.hpp"

namespace hitless::cli {

std::string source_on_host(const engine::InstanceParts& instance, const std::string& path) {
  return instance.host_name + ":" + path;
}

Task<void> take_sources_from_hosts(Wiring* wiring, core::State state) {
  for (const core::PlannedFile& planned : state.plan.files) {
    engine::InstanceParts* instance = nullptr;
    for (engine::InstanceParts& each : wiring->parts.instances) {
      if (each.id == planned.instance) instance = &each;
    }
    // Sources in the fleet file are absolute paths here, and begin with a slash.
    const std::string prefix = instance == nullptr ? "" : source_on_host(*instance, "");
    if (instance == nullptr || !planned.source.starts_with(prefix + "/")) continue;
    auto content = co_await instance->host->read_file(planned.source.substr(prefix.size()));
    if (!content || sha256_hex(*content) != planned.sha256) continue;
    std::erase_if(instance->files,
                  [&](const engine::ConfigFile& file) { return file.dest == planned.path; });
    instance->files.push_back({planned.source, planned.path, planned.mode, std::move(*content)});
  }
}

std::string changed_source(const Wiring& wiring, const core::State& state) {
  for (const core::PlannedFile& planned : state.plan.files) {
    const engine::InstanceParts* instance = wiring.parts.instances.find(planned.instance);
    if (instance == nullptr) continue;
    for (const engine::ConfigFile& file : instance->files) {
      if (file.dest == planned.path && sha256_hex(file.content) != planned.sha256)
        return file.source;
    }
  }
  return {};
}

}  // namespace hitless::cli
