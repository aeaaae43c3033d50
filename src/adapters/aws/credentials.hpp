// Who we are to AWS: one set of keys, and where it comes from.
//
// The chain is that of AWS's own command line: environment, assume-role profile, web identity,
// shared credentials file, credential_process, config file, container, instance metadata (IMDSv2).
// It is chosen once; keys that expire are fetched anew before they do. Nothing of it is stored, and
// no key or token is ever part of an Error. SSO is not spoken: `credential_process` bridges it.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "adapters/aws/secret.hpp"
#include "base/error.hpp"
#include "base/time.hpp"
#include "runtime/task.hpp"

namespace hitless::aws {

struct Credentials {
  std::string access_key_id;
  Secret secret_key;
  Secret session_token;              // empty: long-lived keys
  std::optional<TimeMs> expires_at;  // empty: never
  std::string source;                // for people: "environment", "role arn:… by profile ops"
};

// Refuses what cannot be a key: control characters (a header could be split), blanks, no key at
// all.
[[nodiscard]] Status check_credentials(const Credentials& credentials);

class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  [[nodiscard]] virtual std::string describe() const = 0;
  virtual Task<Result<Credentials>> get() = 0;
  // AWS said that these keys are no good: the next get() fetches new ones.
  virtual void forget() {}
};

// Variables of the environment; a test gives its own.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
[[nodiscard]] Environment process_environment();

// Fetches keys when there are none or they end soon: from 15 minutes before the end on it tries,
// and goes on with the old ones when that fails; from 10 minutes before the end on it must succeed.
// Of keys that live less than half an hour it is half and a quarter of their life.
class CachedSource final : public CredentialSource {
 public:
  using Fetch = std::function<Task<Result<Credentials>>()>;
  CachedSource(std::string description, Fetch fetch, std::function<TimeMs()> now = wall_now_ms)
      : description_(std::move(description)), fetch_(std::move(fetch)), now_(std::move(now)) {}
  [[nodiscard]] std::string describe() const override { return description_; }
  Task<Result<Credentials>> get() override;
  void forget() override { kept_.reset(); }

 private:
  std::string description_;
  Fetch fetch_;
  std::function<TimeMs()> now_;
  std::optional<Credentials> kept_;
  DurationMs lifetime_ms_ = 0;  // of kept_ when it was fetched
  TimeMs retry_at_ = 0;         // after a failed early refresh
  AsyncMutex one_at_a_time_;
};

// "2026-02-18T14:04:43Z", with fraction or +00:00; nullopt: it is none.
[[nodiscard]] std::optional<TimeMs> parse_iso_time(const std::string& text);
// The JSON of containers, instance metadata and credential_process. `what` names it in errors.
[[nodiscard]] Result<Credentials> credentials_from_json(const std::string& text,
                                                        const std::string& what);

}  // namespace hitless::aws
