#include "engine/config_ops.hpp"

#include <algorithm>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "confdiff/config_diff.hpp"
#include "confdiff/directives.hpp"
#include "confdiff/nginx_tree.hpp"
#include "confdiff/text_diff.hpp"

namespace hitless::engine {
namespace {

constexpr std::size_t kMaxDiffBytes = 64 * 1024;
constexpr int kMaxBackupNames = 20;  // of one file on one day

std::string folder_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}
std::string name_of_file(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

core::Action action_for(confdiff::ChangeClass change_class) {
  switch (change_class) {
    case confdiff::ChangeClass::none:
      return core::Action::none;
    case confdiff::ChangeClass::reload:
    case confdiff::ChangeClass::reload_watch:
      return core::Action::reload;
    case confdiff::ChangeClass::restart:
    case confdiff::ChangeClass::human_only:
      return core::Action::restart;
  }
  return core::Action::restart;
}

confdiff::ChangeClass class_of(core::Action action) {
  switch (action) {
    case core::Action::none:
      return confdiff::ChangeClass::none;
    case core::Action::reload:
      return confdiff::ChangeClass::reload;
    case core::Action::restart:
    case core::Action::reboot:
      break;
  }
  return confdiff::ChangeClass::restart;
}

// Missing is known to be missing; anything else that cannot be read stops the change.
Task<Result<std::optional<std::string>>> read_if_there(ports::Host* host, std::string path) {
  auto stat = co_await host->stat(path);
  if (!stat) co_return tl::unexpected<Error>(stat.error());
  if (!stat->exists) co_return std::optional<std::string>{};
  auto content = co_await host->read_file(path);
  if (!content) co_return tl::unexpected<Error>(content.error());
  co_return std::optional<std::string>{std::move(*content)};
}

std::string backup_name(const ServiceParts& parts, const InstanceParts& instance,
                        const confdiff::Files& on_disk, const std::string& path,
                        const std::string& suffix) {
  const std::string beside = path + ".backup-" + suffix;
  // What cannot be parsed cannot be asked either: the safe place then.
  bool swallowed = false;
  if (parts.config_kind == confdiff::Kind::nginx) {
    const auto tree = confdiff::parse_nginx(on_disk, instance.main_config);
    swallowed = !tree || confdiff::include_matching(*tree, beside) != nullptr;
  } else if (parts.config_kind == confdiff::Kind::apache) {
    swallowed = confdiff::apache_includes(on_disk, instance.main_config, beside);
  }
  if (!swallowed) return beside;
  return folder_of(path) + "/.hitless-backup/" + name_of_file(path) + ".backup-" + suffix;
}

// Writes one backup under the first name of the day that is free or already holds just this.
Task<Result<core::Backup>> back_up_one(const ServiceParts* parts, const InstanceParts* instance,
                                       const confdiff::Files* on_disk, std::string path,
                                       std::string rollout, TimeMs now) {
  ports::Host* host = instance->host;
  core::Backup backup;
  backup.path = path;
  auto content = co_await read_if_there(host, path);
  if (!content) co_return tl::unexpected<Error>(content.error());
  if (!content->has_value()) co_return backup;
  backup.existed = true;
  backup.sha256 = sha256_hex(**content);
  for (int attempt = 0; attempt < kMaxBackupNames; ++attempt) {
    std::string suffix = format_day(now);
    if (attempt == 1) suffix += "-" + rollout;
    if (attempt > 1) suffix += "-" + rollout + "-" + std::to_string(attempt);
    const std::string name = backup_name(*parts, *instance, *on_disk, path, suffix);
    auto existing = co_await read_if_there(host, name);
    if (!existing) co_return tl::unexpected<Error>(existing.error());
    if (existing->has_value() && sha256_hex(**existing) != backup.sha256) continue;
    backup.backup_path = name;
    if (existing->has_value()) co_return backup;
    if (const std::string folder = folder_of(name); folder != folder_of(path)) {
      auto made =
          co_await host->exec({"mkdir", "-p", "-m", "0700", "--", folder}, {}, 10'000, true);
      if (!made) co_return tl::unexpected<Error>(made.error());
    }
    Status written = co_await host->put_atomic(name, **content, "0600", path);
    if (!written) co_return tl::unexpected<Error>(written.error());
    auto again = co_await host->read_file(name);
    if (!again) co_return tl::unexpected<Error>(again.error());
    if (sha256_hex(*again) != backup.sha256) {
      co_return fail(ErrorCode::failed,
                     "the backup " + name + " does not read back as it was written",
                     instance->host_name, "check the disk of the host");
    }
    co_return backup;
  }
  co_return fail(ErrorCode::refused, "no free backup name for " + path, instance->host_name,
                 "remove old " + path + ".backup-* files");
}

// The files of `before` with the planned ones, as the service would read them. Only the driver
// knows which names lead to a file: /etc/nginx/sites-enabled/shop is a link to what is installed.
Task<Result<confdiff::Files>> files_after(const InstanceParts* instance,
                                          const confdiff::Files* before,
                                          const ports::Files* changed) {
  if (changed->empty()) co_return *before;
  auto after = co_await instance->service->config_files_with(*changed);
  if (!after) co_return after;
  for (const auto& [path, content] : *changed) (*after)[path] = content;
  for (const ConfigFile& file : instance->files)  // installed, but part of nothing that is read
    if (const auto old = before->find(file.dest); old != before->end()) after->insert(*old);
  co_return after;
}

}  // namespace

Task<Result<ConfigPlan>> plan_config(const ServiceParts* parts, const InstanceParts* instance) {
  ConfigPlan plan;
  auto on_disk = co_await instance->service->config_files();
  if (!on_disk) co_return tl::unexpected<Error>(on_disk.error());
  plan.on_disk = std::move(*on_disk);
  confdiff::Files before = plan.on_disk;
  for (const ConfigFile& file : instance->files) {
    if (before.count(file.dest) != 0) continue;
    auto content = co_await read_if_there(instance->host, file.dest);
    if (!content) co_return tl::unexpected<Error>(content.error());
    if (content->has_value()) before[file.dest] = **content;
  }
  for (const ConfigFile& file : instance->files) {
    const auto old = before.find(file.dest);
    if (old != before.end() && old->second == file.content) continue;
    plan.changed[file.dest] = file.content;
    plan.unified +=
        confdiff::unified_diff(old == before.end() ? "" : old->second, file.content, file.dest);
  }
  plan.unified = truncate_utf8(redact(plan.unified), kMaxDiffBytes);
  auto after = co_await files_after(instance, &before, &plan.changed);
  if (!after) co_return tl::unexpected<Error>(after.error());
  confdiff::Context context;
  context.health_path = parts->health_path;
  context.port = instance->port;
  plan.diff =
      confdiff::diff_config(parts->config_kind, before, *after, instance->main_config, context);
  plan.action =
      plan.changed.empty() ? core::Action::none : action_for(plan.diff.summary.change_class);
  if (plan.changed.empty()) co_return plan;
  // A program that describes its own configuration knows better than a diff of text.
  auto needs = co_await instance->service->needed_for(std::move(before), std::move(*after));
  if (!needs) co_return tl::unexpected<Error>(needs.error());
  if (*needs) {
    plan.action = (*needs)->action;
    plan.diff.summary.text += ", " + (*needs)->text;
    plan.diff.summary.change_class = class_of(plan.action);
  }
  co_return plan;
}

Task<std::string> what_bars(ports::Host* host, const ConfigPlan* plan) {
  for (const auto& [path, content] : plan->changed) {
    const auto there = co_await host->stat(path);
    if (!there) co_return describe(there.error());
    if (there->exists) {
      if (!there->is_regular) co_return path + " is not a regular file (a link?)";
      continue;
    }
    const std::string folder = folder_of(path);
    const auto in = co_await host->stat(folder.empty() ? "/" : folder);
    if (in && !in->exists) co_return "the folder of " + path + " does not exist";
  }
  co_return std::string();
}

Task<Result<std::vector<core::Backup>>> back_up(const ServiceParts* parts,
                                                const InstanceParts* instance,
                                                const ConfigPlan* plan, std::string rollout,
                                                TimeMs now) {
  std::vector<core::Backup> backups;
  for (const auto& [path, content] : plan->changed) {
    auto backup = co_await back_up_one(parts, instance, &plan->on_disk, path, rollout, now);
    if (!backup) co_return tl::unexpected<Error>(backup.error());
    backups.push_back(std::move(*backup));
  }
  co_return backups;
}

Task<Result<confdiff::Files>> read_backups(ports::Host* host, std::vector<core::Backup> backups) {
  confdiff::Files files;
  for (const core::Backup& backup : backups) {
    if (!backup.existed) continue;
    auto content = co_await host->read_file(backup.backup_path);
    if (!content) co_return tl::unexpected<Error>(content.error());
    if (sha256_hex(*content) != backup.sha256) {
      co_return fail(ErrorCode::refused,
                     "the backup " + backup.backup_path + " was changed since it was made",
                     host->name(), "restore " + backup.path + " by hand");
    }
    files[backup.path] = std::move(*content);
  }
  co_return files;
}

namespace {

const core::PlannedFile* find_planned(const std::vector<core::PlannedFile>& files,
                                      const InstanceParts& instance, const std::string& path) {
  for (const core::PlannedFile& file : files) {
    if (file.instance == instance.id && file.path == path) return &file;
  }
  return nullptr;
}

// A file without a backup was at the checklist what it is to be.
Task<Status> untouched_by_others(const InstanceParts* instance, const core::PlannedFile* planned,
                                 const std::vector<core::Backup>* backups) {
  const auto backup = std::ranges::find_if(
      *backups, [&](const core::Backup& b) { return b.path == planned->path; });
  const auto now = co_await read_if_there(instance->host, planned->path);
  if (!now) co_return tl::unexpected<Error>(now.error());
  const std::string seen = now->has_value() ? sha256_hex(**now) : std::string();
  if (seen == planned->sha256) co_return Status{};
  if (backup != backups->end() && seen == (backup->existed ? backup->sha256 : std::string()))
    co_return Status{};
  co_return fail(ErrorCode::refused,
                 planned->path + (seen.empty() ? " was removed" : " was changed") +
                     " by somebody else since the checklist",
                 instance->host_name, "nothing was installed there; look at it, then apply again");
}

}  // namespace

Task<Status> install_new(const InstanceParts* instance, std::vector<core::PlannedFile> files,
                         std::vector<core::Backup> backups) {
  std::erase_if(files, [&](const core::PlannedFile& f) { return f.instance != instance->id; });
  for (const core::PlannedFile& planned : files) {
    Status ours = co_await untouched_by_others(instance, &planned, &backups);
    if (!ours) co_return ours;
  }
  for (const core::PlannedFile& planned : files) {
    const ConfigFile* file = nullptr;
    for (const ConfigFile& each : instance->files) {
      if (each.dest == planned.path) file = &each;
    }
    if (file == nullptr || sha256_hex(file->content) != planned.sha256) {
      co_return fail(ErrorCode::refused,
                     "the source of " + planned.path + " is not what was planned", planned.source,
                     "make a new plan");
    }
    Status written = co_await instance->host->put_atomic(planned.path, file->content, planned.mode);
    if (!written) co_return written;
  }
  co_return Status{};
}

namespace {

// Where the configuration cannot be read now, the copy goes to where nothing includes it.
Task<Result<std::string>> keep_edit(const WayBack* way, std::string path, TimeMs now) {
  auto on_disk = co_await way->instance->service->config_files();
  const confdiff::Files files = on_disk ? std::move(*on_disk) : confdiff::Files{};
  auto kept = co_await back_up_one(way->parts, way->instance, &files, path, way->rollout, now);
  if (!kept) co_return tl::unexpected<Error>(kept.error());
  co_return "what somebody else wrote to " + path + " meanwhile is kept as " + kept->backup_path;
}

Task<Status> remove_file(const InstanceParts* instance, std::string path) {
  auto removed = co_await instance->host->exec({"rm", "-f", "--", path}, {}, 10'000, true);
  if (!removed) co_return tl::unexpected<Error>(removed.error());
  if (removed->exit_code == 0) co_return Status{};
  co_return fail(ErrorCode::failed, "cannot remove " + path + ": " + removed->err,
                 instance->host_name);
}

}  // namespace

Task<Result<std::string>> install_previous(WayBack way, TimeMs now) {
  ports::Host* host = way.instance->host;
  auto files = co_await read_backups(host, way.backups);
  if (!files) co_return tl::unexpected<Error>(files.error());
  std::string notes;
  for (const core::Backup& backup : way.backups) {
    const auto there = co_await read_if_there(host, backup.path);
    const std::string seen = there && there->has_value() ? sha256_hex(**there) : std::string();
    // Where the new file never came to, there is nothing to put back, and nothing that could fail.
    if (backup.existed && seen == backup.sha256) continue;
    const core::PlannedFile* ours = find_planned(way.installed, *way.instance, backup.path);
    if (!seen.empty() && (ours == nullptr || seen != ours->sha256)) {
      auto kept = co_await keep_edit(&way, backup.path, now);
      if (!kept) co_return tl::unexpected<Error>(kept.error());
      notes += (notes.empty() ? "" : "; ") + *kept;
    }
    Status done = backup.existed ? co_await host->put_atomic(backup.path, (*files)[backup.path],
                                                             "0600", backup.backup_path)
                                 : co_await remove_file(way.instance, backup.path);
    if (!done) co_return tl::unexpected<Error>(done.error());
  }
  co_return notes;
}

}  // namespace hitless::engine
