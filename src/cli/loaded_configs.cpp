#include "cli/loaded_configs.hpp"

#include <algorithm>

#include "adapters/service/loaded_config.hpp"

namespace hitless::cli {

void remember_loaded_configs(Wiring& wiring, const std::string& state_dir) {
  if (!wiring.members.empty()) return;
  for (engine::InstanceParts& instance : wiring.parts.instances) {
    const auto own = std::ranges::find_if(
        wiring.services, [&](const auto& each) { return each.get() == instance.service; });
    if (own == wiring.services.end()) continue;
    *own = service::make_remembering_service(std::move(*own),
                                             state_dir + "/loaded/" + instance.id.value,
                                             wiring.parts.config_kind, instance.main_config);
    instance.service = own->get();
  }
}

}  // namespace hitless::cli
