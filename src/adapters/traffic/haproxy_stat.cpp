#include "adapters/traffic/haproxy_stat.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace hitless::traffic {
namespace {

constexpr std::size_t max_cells = 500;  // 2.6 has 118 columns
constexpr std::size_t max_rows = 20'000;
constexpr std::size_t max_workers = 1'000;

using Row = std::vector<std::string>;

tl::unexpected<Error> broken(std::string_view what, std::string_view why) {
  return fail(ErrorCode::failed, "cannot read `" + std::string(what) + "`: " + std::string(why));
}

std::optional<std::int64_t> to_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// CSV with "" in quotes; a quoted value may hold commas and line breaks. Blank lines are skipped.
Result<std::vector<Row>> parse_csv(std::string_view text) {
  std::vector<Row> rows;
  Row row;
  std::string cell;
  bool quoted = false;
  const auto end_cell = [&] { row.push_back(std::exchange(cell, {})); };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        cell += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        cell += text[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"' && cell.empty()) {
      quoted = true;
    } else if (c == ',') {
      end_cell();
    } else if (c == '\n') {
      end_cell();
      if (row.size() > 1 || !row[0].empty()) rows.push_back(std::move(row));
      row.clear();
    } else {
      cell += c;
    }
    if (row.size() > max_cells || rows.size() > max_rows) return broken("show stat", "too large");
  }
  if (quoted || !cell.empty() || !row.empty()) return broken("show stat", "it is cut short");
  return rows;
}

// Column numbers by name.
class Header {
 public:
  explicit Header(Row names) : size_(names.size()) {
    for (std::size_t i = 0; i < names.size(); ++i) index_.emplace(std::move(names[i]), i);
  }
  [[nodiscard]] std::string text(const Row& row, const std::string& name) const {
    const auto found = index_.find(name);
    return found == index_.end() || found->second >= row.size() ? "" : row[found->second];
  }
  [[nodiscard]] std::optional<std::int64_t> number(const Row& row, const std::string& name) const {
    return to_number(text(row, name));
  }
  [[nodiscard]] bool has(const std::string& name) const { return index_.contains(name); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::map<std::string, std::size_t> index_;
  std::size_t size_;
};

StatRow to_stat_row(const Header& header, const Row& row) {
  StatRow out;
  out.server = header.text(row, "svname");
  out.status = header.text(row, "status");
  out.check_status = header.text(row, "check_status");
  out.tracked = header.text(row, "tracked");
  out.mode = header.text(row, "mode");
  out.cookie = header.text(row, "cookie");
  out.address = header.text(row, "addr");
  out.has_agent = !header.text(row, "agent_status").empty();
  out.backup = header.number(row, "bck").value_or(0) > 0;
  out.sessions = header.number(row, "scur");
  out.queued = header.number(row, "qcur");
  out.total = header.number(row, "stot");
  out.requests = header.number(row, "req_tot");
  out.idle = header.number(row, "srv_icur");
  out.connect_errors = header.number(row, "econ");
  out.response_errors = header.number(row, "eresp");
  out.server_aborts = header.number(row, "srv_abrt");
  out.responses_5xx = header.number(row, "hrsp_5xx");
  out.retries = header.number(row, "wretr");
  out.redispatches = header.number(row, "wredis");
  return out;
}

Row words(std::string_view line) {
  Row out;
  for (std::string& word : split(line, ' ')) {
    if (!word.empty()) out.push_back(std::move(word));
  }
  return out;
}

}  // namespace

Result<WorkerInfo> parse_info(std::string_view text) {
  WorkerInfo info;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    const std::string_view name = std::string_view(line).substr(0, colon);
    const std::string_view value = trim(std::string_view(line).substr(colon + 2));
    if (name == "Pid") info.pid = to_number(value).value_or(0);
    if (name == "Start_time_sec" && to_number(value)) info.start = std::string(value);
    if (name == "Stopping") info.stopping = value != "0";
    if (name == "Nbproc") info.processes = to_number(value).value_or(1);
    if (name == "CurrConns") info.connections = to_number(value);
    if (name == "Version") info.version = truncate_utf8(escape_for_terminal(value), 40);
  }
  if (info.pid == 0) return broken("show info", "it has no Pid");
  return info;
}

Result<StatTable> parse_stat(std::string_view text, std::string_view backend) {
  constexpr std::string_view mark = "# ";
  if (!text.starts_with(mark)) return broken("show stat", "it has no header");
  auto rows = parse_csv(text.substr(mark.size()));
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return broken("show stat", "it has no header");
  const Header header(std::move(rows->front()));
  for (const char* needed : {"pxname", "svname", "status", "scur", "qcur", "check_status"}) {
    if (!header.has(needed)) return broken("show stat", std::string("no column ") + needed);
  }
  StatTable table;
  for (std::size_t i = 1; i < rows->size(); ++i) {
    const Row& row = (*rows)[i];
    if (row.size() != header.size()) return broken("show stat", "a row does not fit the header");
    if (header.text(row, "pxname") != backend) continue;
    StatRow parsed = to_stat_row(header, row);
    if (parsed.server == "FRONTEND") continue;
    if (parsed.server == "BACKEND") {
      table.backend = std::move(parsed);
    } else if (!table.servers.emplace(parsed.server, parsed).second) {
      return broken("show stat", "a server is listed twice");
    }
  }
  return table;
}

Result<ServerStates> parse_servers_state(std::string_view text, std::string_view backend) {
  constexpr const char* what = "show servers state";
  const std::vector<std::string> lines = split(text, '\n');
  if (lines.size() < 2 || trim(lines[0]) != "1" || !lines[1].starts_with("# ")) {
    return broken(what, "unknown format");
  }
  const Header header(words(std::string_view(lines[1]).substr(2)));
  ServerStates states;
  for (std::size_t i = 2; i < lines.size(); ++i) {
    const Row row = words(lines[i]);
    if (row.empty()) continue;
    if (row.size() != header.size()) return broken(what, "a row does not fit the header");
    if (header.text(row, "be_name") != backend) continue;
    const auto backend_id = header.number(row, "be_id");
    const auto op = header.number(row, "srv_op_state");
    const auto admin = header.number(row, "srv_admin_state");
    const auto weight = header.number(row, "srv_uweight");
    const auto check = header.number(row, "srv_check_state");
    if (!backend_id || !op || !admin || !weight || !check) return broken(what, "not a number");
    states[header.text(row, "srv_name")] = {*backend_id, *op, *admin, *weight, *check};
    if (states.size() > max_rows) return broken(what, "too large");
  }
  return states;
}

Result<ProcessList> parse_proc(std::string_view text) {
  constexpr const char* what = "show proc";
  ProcessList list;
  enum class Part { head, workers, old_workers, other } part = Part::head;
  bool has_header = false;
  for (const std::string& line : split(text, '\n')) {
    if (line.starts_with("#<PID>")) {
      has_header = true;
    } else if (line.starts_with('#')) {
      const std::string_view title = trim(std::string_view(line).substr(1));
      part = title == "workers"       ? Part::workers
             : title == "old workers" ? Part::old_workers
                                      : Part::other;
    } else if (const Row row = words(line); !row.empty()) {
      const auto pid = to_number(row[0]);
      if (!pid || row.size() < 2) return broken(what, "unknown format");
      if (const auto at = line.find("[failed: "); part == Part::head && at != std::string::npos) {
        const std::string_view rest = std::string_view(line).substr(at + 9);
        list.failed_reloads = to_number(rest.substr(0, rest.find(']'))).value_or(0);
      }
      if (row[1] != "worker") continue;
      if (part == Part::workers) list.workers.push_back(*pid);
      if (part == Part::old_workers) list.old_workers.push_back(*pid);
    }
    if (list.workers.size() + list.old_workers.size() > max_workers)
      return broken(what, "too large");
  }
  if (!has_header) return broken(what, "unknown format");
  return list;
}

std::vector<std::string> parse_table_names(std::string_view text) {
  constexpr std::string_view mark = "# table: ";
  std::vector<std::string> names;
  for (const std::string& line : split(text, '\n')) {
    if (!line.starts_with(mark)) continue;
    const std::string_view rest = std::string_view(line).substr(mark.size());
    names.emplace_back(rest.substr(0, rest.find(',')));
  }
  return names;
}

std::vector<std::string> parse_sessions(std::string_view text, std::string_view backend,
                                        std::string_view server) {
  const std::string backend_word = "be=" + std::string(backend);
  const std::string server_word = "srv=" + std::string(server);
  std::vector<std::string> sessions;
  for (const std::string& line : split(text, '\n')) {
    const Row row = words(line);
    if (row.empty() || !row[0].starts_with("0x") || !row[0].ends_with(':')) continue;
    const std::string address = row[0].substr(0, row[0].size() - 1);
    if (address.find_first_not_of("0123456789abcdefx") != std::string::npos) continue;
    const bool at_backend = std::find(row.begin(), row.end(), backend_word) != row.end();
    const bool at_server = std::find(row.begin(), row.end(), server_word) != row.end();
    if (at_backend && at_server) sessions.push_back(address);
  }
  return sessions;
}

std::vector<int> parse_check_ports(std::string_view text, std::string_view backend,
                                   std::string_view server, bool at_rest) {
  const std::string place = "sv=" + std::string(backend) + "/" + std::string(server);
  std::vector<int> ports;
  for (const std::string& line : split(text, '\n')) {
    // Who waits for its answer is named: a health check, not a stream and not the idle pool.
    if (!at_rest && line.find(" tl.fct=srv_chk_io_cb)") == std::string::npos) continue;
    const Row row = words(line);
    const auto has = [&](std::string_view word) { return std::ranges::count(row, word) == 1; };
    if (!has("back=1") || !has(place)) continue;
    for (const std::string& word : row) {
      const auto port = word.starts_with("lport=") ? to_number(word.substr(6)) : std::nullopt;
      if (port && *port > 0 && *port <= 65'535) ports.push_back(static_cast<int>(*port));
    }
  }
  return ports;
}

bool says_no_such_worker(std::string_view reply) {
  return trim(reply).starts_with("Can't find the target PID");
}

bool says_not_found(std::string_view reply) {
  const std::string_view text = trim(reply);
  return text.starts_with("No such ") || text.starts_with("Can't find backend");
}

bool says_permission_denied(std::string_view reply) {
  return trim(reply).starts_with("Permission denied");
}

}  // namespace hitless::traffic
