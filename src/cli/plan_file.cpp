#include "cli/plan_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "adapters/journal/codec.hpp"
#include "cli/fact_fields.hpp"

namespace hitless::cli {
namespace {

constexpr std::size_t kMaxPlanBytes = 16u << 20;

Error broken(const std::string& path, const std::string& why) {
  return Error{ErrorCode::invalid, "not a saved plan: " + why, path,
               "make a new one with `hitless plan SERVICE`"};
}

Result<SavedPlan> parse(const std::string& path, const std::string& text) {
  boost::system::error_code ec;
  const boost::json::value value = boost::json::parse(text, ec);
  if (ec) return tl::unexpected<Error>(broken(path, ec.message()));
  const auto* object = value.if_object();
  if (object == nullptr || object->if_contains("plan") == nullptr ||
      object->if_contains("fingerprint") == nullptr || object->if_contains("saved_at") == nullptr ||
      !object->at("saved_at").is_int64() || !object->at("fingerprint").is_array()) {
    return tl::unexpected<Error>(broken(path, "parts are missing"));
  }
  SavedPlan saved;
  // The plan stands in the file as text, so that its hash is of the very bytes that were saved.
  if (!object->at("plan").is_string())
    return tl::unexpected<Error>(broken(path, "the plan is malformed"));
  auto plan = journal::plan_from_json(std::string_view(object->at("plan").as_string()));
  if (!plan) return tl::unexpected<Error>(broken(path, plan.error().what));
  saved.plan = std::move(*plan);
  saved.saved_at = object->at("saved_at").as_int64();
  for (const boost::json::value& item : object->at("fingerprint").as_array()) {
    const auto* pair = item.if_array();
    if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string() ||
        !(*pair)[1].is_string()) {
      return tl::unexpected<Error>(broken(path, "the fingerprint is malformed"));
    }
    saved.fingerprint.emplace_back((*pair)[0].as_string().c_str(), (*pair)[1].as_string().c_str());
  }
  saved.proposer = text_at(*object, "proposer");
  saved.for_whom = text_at(*object, "for_whom");
  saved.reason = text_at(*object, "reason");
  if (const auto* list = object->if_contains("evidence"); list != nullptr && list->is_array()) {
    for (const boost::json::value& id : list->get_array())
      if (id.is_string()) saved.evidence.emplace_back(id.get_string());
  }
  if (journal::hash_plan(saved.plan) != saved.plan.hash) {
    return tl::unexpected<Error>(
        broken(path, "it was altered after it was saved (its hash does not match)"));
  }
  return saved;
}

}  // namespace

std::string plan_file_text(const SavedPlan& saved) {
  std::string text = "{\"format_version\":1,\"saved_at\":" + std::to_string(saved.saved_at) +
                     ",\"plan\":" + journal::quote_json(journal::plan_to_json(saved.plan)) +
                     ",\"fingerprint\":[";
  bool first = true;
  for (const auto& [name, value] : saved.fingerprint) {
    text += std::string(first ? "" : ",") + "[" + journal::quote_json(name) + "," +
            journal::quote_json(value) + "]";
    first = false;
  }
  text += "],\"proposer\":" + journal::quote_json(saved.proposer) +
          ",\"for_whom\":" + journal::quote_json(saved.for_whom) +
          ",\"reason\":" + journal::quote_json(saved.reason) + ",\"evidence\":[";
  first = true;
  for (const std::string& id : saved.evidence) {
    text += (first ? "" : ",") + journal::quote_json(id);
    first = false;
  }
  return text + "]}\n";
}

constexpr const char* kElsewhere = "`--out FILE` puts it elsewhere, `--out -` saves none";

Status save_plan(const std::string& path, const SavedPlan& saved) {
  const std::string text = plan_file_text(saved);
  const std::string temp = path + ".tmp";
  const int fd = ::open(temp.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return fail(ErrorCode::failed, std::string("cannot write the plan: ") + std::strerror(errno),
                temp, kElsewhere);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  if (!written || std::rename(temp.c_str(), path.c_str()) != 0) {
    ::unlink(temp.c_str());
    return fail(ErrorCode::failed, std::string("cannot write the plan: ") + std::strerror(errno),
                path, kElsewhere);
  }
  return {};
}

Result<SavedPlan> load_plan(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return fail(ErrorCode::not_found, "cannot read the plan", path,
                "make one with `hitless plan SERVICE`");
  std::string text(kMaxPlanBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxPlanBytes) return tl::unexpected<Error>(broken(path, "it is too large"));
  return parse(path, text);
}

}  // namespace hitless::cli
