#include "adapters/coordination/claim_script.hpp"

#include "ports/claim_files.hpp"

namespace hitless::coordination {
namespace {

// A token is one acquire's: repeated after a lost answer it gives the same epoch again. Time is the
// host's uptime, so neither our clock nor a step of the host's moves the end of a claim. A claim of
// another boot has ended, its epoch counts.
constexpr const char* kScript = R"sh(
verb=$1 svc=$2 port=$3 epoch=$4 token=$5 ttl=$6 flag=$7 home=$8 rollout=$9
shift 9
who=$1
IFS=' .' read -r now rest </proc/uptime && IFS= read -r boot </proc/sys/kernel/random/boot_id || exit 91
# A check changes nothing, and a claim is replaced as a whole: it need not wait for the lock.
if [ "$verb" = check ]; then find_claims "$svc" "$port" || exit 91
else open_claims "$svc" "$port" || exit 91; fi
own=$folder/$svc@$port top=0 mine= since=
held() {
  printf '%s\n' "$c_epoch" "$left" "$c_since" "$c_rollout" "$c_who"
  exit 83
}
for file in $files; do
  [ -e "$file" ] || continue
  read_claim "$file" || exit 91
  left=0
  [ "$c_boot" = "$boot" ] && [ "$c_end" -gt "$now" ] && left=$((c_end - now))
  if [ "$file" = "$own" ] && [ "$c_token" = "$token" ]; then
    mine=$c_epoch since=$c_since
    [ "$verb" != check ] || [ "$c_epoch" -le "$epoch" ] || held
  else
    case $verb in
      acquire) [ $left = 0 ] || { [ "$flag" = 1 ] && [ "$c_home" = "$home" ]; } || held ;;
      renew|check) [ "$c_epoch" -lt "$epoch" ] || held ;;
    esac
  fi
  [ "$c_epoch" -le "$top" ] || top=$c_epoch
done
case $verb in
  acquire)
    if [ "$top" -lt "$epoch" ]; then top=$epoch; fi
    new=$((top + 1))
    if [ "$mine" = "$top" ] && [ "$top" -gt "$epoch" ]; then new=$top; fi
    ;;
  renew)
    [ -n "$mine" ] || [ "$flag" = 1 ] || exit 85
    new=$epoch
    if [ "${mine:-0}" -gt "$new" ]; then new=$mine; fi
    ;;
  release)
    [ -n "$mine" ] || exit 0
    new=$mine
    ;;
  *)
    [ -n "$mine" ] || exit 85
    exit 0
    ;;
esac
[ -n "$since" ] || since=$(date +%s)
end=0
if [ "$verb" != release ]; then end=$((now + ttl + 1)); fi
temp=$folder/.new.$svc@$port
printf '%s\n' "$new" "$end" "$boot" "$token" "$home" "$who" "$rollout" "$since" >"$temp" &&
  mv -fT -- "$temp" "$own" || { rm -f -- "$temp"; exit 91; }
echo "$new"
)sh";

}  // namespace

std::string claim_script() {
  return std::string(ports::claim_functions) + kScript;
}

}  // namespace hitless::coordination
