// Configuration on a host: what would change, the dated backup that a rollback puts back, and
// putting files in place. Writes are atomic per file; a crash between two files is finished or
// undone by the recovery, because the backup was made, re-read and hash-checked before the first
// write.
#pragma once
#include <string>
#include <vector>

#include "confdiff/types.hpp"
#include "core/event.hpp"
#include "engine/parts.hpp"

namespace hitless::engine {

struct ConfigPlan {
  confdiff::DiffResult diff;
  std::string unified;  // redacted, capped
  core::Action action = core::Action::none;
  confdiff::Files changed;  // dest → new content, only files that differ from disk
  confdiff::Files on_disk;  // the whole configuration as it is
};

// Compares what is on disk with what `apply` would install.
Task<Result<ConfigPlan>> plan_config(const ServiceParts* parts, const InstanceParts* instance);

// Dated, re-read, hash-checked copies of every file that is about to change. A name that an include
// pattern of the configuration would swallow goes into a folder of its own beside it.
// Whether the changed files can be put where they are to go, asked before anything is touched: a
// link is not replaced, and no folder is made. Empty: they can.
Task<std::string> what_bars(ports::Host* host, const ConfigPlan* plan);

Task<Result<std::vector<core::Backup>>> back_up(const ServiceParts* parts,
                                                const InstanceParts* instance,
                                                const ConfigPlan* plan, std::string rollout,
                                                TimeMs now);
Task<Result<confdiff::Files>> read_backups(ports::Host* host, std::vector<core::Backup> backups);

// Where a file is neither what the backup was made of nor what is to be installed, somebody has
// edited or removed it since: refused, before any file is written, because no backup has it.
Task<Status> install_new(const InstanceParts* instance, std::vector<core::PlannedFile> files,
                         std::vector<core::Backup> backups);

struct WayBack {
  const ServiceParts* parts = nullptr;
  const InstanceParts* instance = nullptr;
  std::vector<core::Backup> backups;
  std::vector<core::PlannedFile> installed;
  std::string rollout;
};

// What somebody else has written over it meanwhile is kept beside it under a name of its own, like
// a backup, before the previous file comes back. Says what was kept, and where; mostly nothing.
Task<Result<std::string>> install_previous(WayBack way, TimeMs now);

}  // namespace hitless::engine
