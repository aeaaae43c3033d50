// Backups of configuration files, for people and for rollback.
//
// A backup is never overwritten and never trusted unread: it is written with put_atomic, read again
// and compared by hash. A crash leaves either no backup or a whole one; doing it again is harmless.
#pragma once
#include <string>
#include <vector>

#include "base/time.hpp"
#include "ports/host.hpp"
#include "ports/service.hpp"

namespace hitless::service {

// "/etc/nginx/nginx.conf" → "/etc/nginx/nginx.conf.backup-20260218", the path that was written.
// When that name holds something else, "-<rollout>" is appended; when an include of the
// configuration (avoid_globs, absolute) would take a file of that name in, it goes to the folder
// .hitless-backup beside the file. An empty path: the file does not exist, there is nothing to back
// up.
Task<Result<std::string>> back_up(ports::Host& host, std::string path, std::string rollout,
                                  TimeMs now, std::vector<std::string> avoid_globs);

// All of them or an error.
Task<Result<ports::Files>> read_all(ports::Host& host, std::vector<std::string> paths);

}  // namespace hitless::service
