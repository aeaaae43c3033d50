// One target group as the driver holds it: found once, its members resolved once, its health asked
// at most every poll_ms whoever wants to know. Shared by the parts of the driver; private to it.
#pragma once
#include "adapters/traffic/elbv2.hpp"
#include "adapters/traffic/elbv2_report.hpp"

namespace hitless::elbv2 {

class Group {
 public:
  explicit Group(const Elbv2Pool* pool) : pool_(pool) {}

  // The name without asking: "web-tg" of an ARN too.
  [[nodiscard]] std::string name() const;
  Task<Result<Link>> link();

  // Finds the group and the members' ids, when that has not been done. Errors are not kept.
  Task<Status> ready();
  [[nodiscard]] const TargetGroup& group() const { return *group_; }
  [[nodiscard]] const std::vector<Member>& members() const { return members_; }
  [[nodiscard]] Result<Member> member(const core::InstanceId& instance) const;  // after ready()
  [[nodiscard]] std::vector<Member> members_of(const core::InstanceId& instance) const;

  // The health of all targets: kept, or asked in one try. One that failed lets the last answer
  // stand for a while; then it is the error.
  Task<Result<std::vector<TargetHealth>>> health();
  // Asked now, with retries: before and after a change.
  Task<Result<std::vector<TargetHealth>>> health_now();
  // What is kept does not stand any more, not even for a while.
  void expire() { kept_.reset(); }

 private:
  Task<Status> prepare(aws::CallLimits limits);  // under the lock
  Task<Status> resolve();
  Task<Status> resolve_by(std::string filter, std::vector<std::size_t> which);
  [[nodiscard]] Status take(std::size_t index, const std::string& what,
                            const std::vector<const FoundInstance*>& found);
  void keep(std::vector<TargetHealth> health, TimeMs asked_at);
  void back_off(bool throttled);

  const Elbv2Pool* pool_;
  std::optional<TargetGroup> group_;
  std::vector<Member> members_;
  bool resolved_ = false;
  std::optional<std::vector<TargetHealth>> kept_;
  TimeMs kept_at_ = 0, kept_asked_at_ = 0, fresh_until_ = 0,
         not_before_ = 0;  // by the steady clock
  int failures_ = 0;
  std::optional<Error> last_error_;
  AsyncMutex one_at_a_time_;
};

[[nodiscard]] bool is_instance_id(const std::string& text);  // i-[0-9a-f]{8,17}
[[nodiscard]] bool is_ip_address(const std::string& text);

}  // namespace hitless::elbv2
