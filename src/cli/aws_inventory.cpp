#include "cli/aws_inventory.hpp"

#include "adapters/traffic/elbv2_members.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::cli {
namespace {

constexpr std::size_t kMaxKnownBytes = 1u << 20;

Task<void> ask(fleet::TargetGroupQuestion question, std::vector<std::string> known,
               Result<std::vector<elbv2::GroupMember>>* out) {
  auto account = aws::Account::open({question.profile, question.region, question.endpoint});
  if (!account) {
    *out = tl::unexpected<Error>(account.error());
    co_return;
  }
  *out = co_await elbv2::group_members(*account, question.group, std::move(known));
}

}  // namespace

Result<std::string> ask_target_group(const fleet::TargetGroupQuestion& question,
                                     const std::string& state_dir) {
  const std::string folder = state_dir + "/target-groups";
  const std::string file = folder + "/" +
                           sha256_hex(question.profile + "\n" + question.region + "\n" +
                                      question.endpoint + "\n" + question.group);
  auto kept = read_if_there(file, kMaxKnownBytes);
  if (!kept)
    return tl::unexpected<Error>(kept.error());  // without it one that is out may be missed
  std::vector<std::string> known;
  if (*kept)
    for (std::string& id : split(**kept, '\n'))
      if (!id.empty()) known.push_back(std::move(id));
  Result<std::vector<elbv2::GroupMember>> members = fail(ErrorCode::internal, "nothing was asked");
  run_until_done([&] { return ask(question, known, &members); });
  if (!members) return tl::unexpected<Error>(members.error());
  std::string text, ids;
  for (const elbv2::GroupMember& member : *members) {
    text += member.name + " " + member.address + "\n";
    ids += member.id + "\n";
  }
  if (!*kept || ids != **kept) {
    Status ok = make_private_dir(folder);
    if (ok) ok = write_durably(file, ids);
    if (!ok) return tl::unexpected<Error>(ok.error());
  }
  return text;
}

}  // namespace hitless::cli
