#include "adapters/host/scripts.hpp"

namespace hitless::host {

const char* const read_script = R"sh(
s=; [ -r "$2" ] || s=$1
type=$($s stat -Lc %F -- "$2") || exit 80
case $type in
  'regular file'|'regular empty file') ;;
  *) echo "it is a $type" >&2; exit 80 ;;
esac
exec $s head -c "$3" -- "$2"
)sh";

const char* const stat_script = R"sh(
if about=$(stat -c '%F|%s|%a|%U|%G' -- "$2" 2>/dev/null); then echo "$about"; exit 0; fi
exec $1 stat -c '%F|%s|%a|%U|%G' -- "$2"
)sh";

// The temp file is private until it has the owner and mode of the file that it replaces. cp gives
// it what stat does not show, ACL and extended attributes, and leaves the time that it was written.
const char* const put_script = R"sh(
umask 077
s=$1 path=$2 tmp=$3 sum=$4 mode=$5 like=$6
if about=$($s stat -c '%F|%a|%u:%g' -- "$path" 2>/dev/null); then
  like=$path
else
  why=$($s stat -c %F -- "$path" 2>&1)
  case $why in *'No such file or directory'*) ;; *) echo "$why" >&2; exit 80 ;; esac
  [ -z "$like" ] || about=$($s stat -c '%F|%a|%u:%g' -- "$like") || exit 80
fi
if [ -n "$like" ]; then
  case $about in
    'regular file|'*|'regular empty file|'*) ;;
    *) echo "$about" >&2; exit 81 ;;
  esac
  mode=${about#*|}; owner=${mode#*|}; mode=${mode%%|*}
fi
give_up() { $s rm -f -- "$tmp"; exit "$1"; }
$s dd of="$tmp" conv=excl,fsync bs=64k status=none || give_up 80
[ -z "$like" ] || $s chown -- "$owner" "$tmp" || give_up 80
$s chmod -- "$mode" "$tmp" || give_up 80
[ -z "$like" ] || $s cp --no-dereference --attributes-only --preserve=all \
  --no-preserve=timestamps -- "$like" "$tmp" || give_up 80
found=$($s sha256sum -- "$tmp") || give_up 80
[ "${found%% *}" = "$sum" ] || { echo 'what arrived is not what was sent' >&2; give_up 80; }
$s mv -fT -- "$tmp" "$path" || give_up 80
$s sync -- "${path%/*}/" || exit 82
found=$($s sha256sum -- "$path") || exit 82
[ "${found%% *}" = "$sum" ] || exit 82
)sh";

const char* const connections_script = R"sh(
if lines=$(ss -Htn state established "( sport = :$1 )" 2>/dev/null); then
  IFS='
'
  set -f; set -- $lines
  echo $#
  exit 0
fi
[ -r /proc/net/tcp ] || { echo 'no ss and no /proc/net/tcp' >&2; exit 80; }
tables=/proc/net/tcp
[ -r /proc/net/tcp6 ] && tables="$tables /proc/net/tcp6"
cat $tables | grep -Eic "^ *[0-9]+: [0-9A-F]+:$2 [0-9A-F]+:[0-9A-F]{4} 01 "
[ $? -lt 2 ]
)sh";

const char* const peers_script = R"sh(
if lines=$(ss -Htn state established "( sport = :$1 )" 2>/dev/null); then
  [ -z "$lines" ] || printf '%s\n' "$lines" | while read -r in out here there more; do echo "$there"; done
  exit 0
fi
[ -r /proc/net/tcp ] || { echo 'no ss and no /proc/net/tcp' >&2; exit 80; }
tables=/proc/net/tcp
[ -r /proc/net/tcp6 ] && tables="$tables /proc/net/tcp6"
cat $tables | grep -Ei "^ *[0-9]+: [0-9A-F]+:$2 [0-9A-F]+:[0-9A-F]{4} 01 " |
  while read -r number here there more; do echo "?:$((0x${there##*:}))"; done
)sh";

}  // namespace hitless::host
