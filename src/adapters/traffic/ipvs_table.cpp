#include "adapters/traffic/ipvs_table.hpp"

#include <charconv>

#include "adapters/traffic/haproxy_socket.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless::traffic {
namespace {

bool number(std::string_view text, std::int64_t& value) {
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && at == text.data() + text.size();
}

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  for (std::string& word : split(line, ' '))
    if (!word.empty()) words.push_back(std::move(word));
  return words;
}

// "10.0.0.1:80", "[fd00::1]:80"; port 0 stands for every port.
bool is_address(std::string text, bool port_zero) {
  if (port_zero && text.ends_with(":0")) text.back() = '1';
  const auto parsed = parse_socket_address("tcp:" + text);
  return parsed && check_host_address(parsed->host) && text.front() != '-';
}

}  // namespace

Status check_ipvs_server(const std::string& server, const std::string& service) {
  // Servers of a mark, and of a service of all ports, take the port that the client asked for.
  const bool port_zero = service.starts_with("fwmark:") || service.ends_with(":0");
  if (is_address(server, port_zero)) return {};
  return fail(ErrorCode::invalid,
              "not an address with a port: " + escape_for_terminal(truncate_utf8(server, 80)), {},
              "as `ipvsadm -Ln` shows it, such as 10.0.0.11:80");
}

Result<std::vector<std::string>> ipvs_service_words(const std::string& service) {
  const std::size_t colon = service.find(':');
  const std::string kind = service.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : service.substr(colon + 1);
  std::int64_t mark = 0;
  if (kind == "fwmark" && number(rest, mark) && mark > 0)
    return std::vector<std::string>{"-f", rest};
  if (kind == "udp")
    return fail(ErrorCode::invalid,
                "a UDP service cannot be drained: IPVS counts no active connections of it, so "
                "nobody knows when it is done",
                {}, "take it out of the fleet file; tcp: and fwmark: (TCP only) are supported");
  if (kind == "tcp" && is_address(rest, true)) return std::vector<std::string>{"-t", rest};
  return fail(ErrorCode::invalid,
              "not a virtual service: " + escape_for_terminal(truncate_utf8(service, 80)), {},
              "such as tcp:10.0.0.1:80 or fwmark:7");
}

Result<IpvsView> parse_ipvs_look(std::string_view out, const std::string& service) {
  const auto wanted = ipvs_service_words(service);
  if (!wanted) return tl::unexpected(wanted.error());
  const std::string kind = (*wanted)[0] == "-t" ? "TCP" : "FWM";
  IpvsView view;
  bool found = false, whole = false;
  std::map<std::string, std::int64_t> kept;
  for (const std::string& line : split(std::string(out), '\n')) {
    const std::vector<std::string> words = words_of(line);
    if (words.empty()) continue;
    std::int64_t weight = 0;
    if (words[0] == kind && words.size() > 1) {
      // `ipvsadm -Ln` of one service prints that one alone.
      found = words[1] == (*wanted)[1];
      for (const std::string& word : words) view.persistent |= word == "persistent";
    } else if (words[0] == "->" && found && words.size() >= 6) {
      IpvsServer server;
      server.forward = words[2];
      if (number(words[3], server.weight) && number(words[4], server.active) &&
          number(words[5], server.inactive))
        view.servers[words[1]] = server;
    } else if (words[0] == "kept" && words.size() == 3 && number(words[2], weight)) {
      kept[words[1]] = weight;
    } else if (words[0] == "expires" && words.size() == 2) {
      view.expires_templates = words[1] == "1";
    } else if (words[0] == "keepalived") {
      view.keepalived = true;
    } else if (words[0] == "end") {
      whole = true;
    }
  }
  if (!whole) return fail(ErrorCode::failed, "its state came back incomplete");
  if (!found)
    return fail(ErrorCode::not_found, "it has no virtual service " + escape_for_terminal(service));
  for (const auto& [name, weight] : kept)
    if (const auto server = view.servers.find(name); server != view.servers.end())
      server->second.drained_from = weight;
  return view;
}

}  // namespace hitless::traffic
