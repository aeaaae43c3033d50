#include "witness/shapes.hpp"

namespace hitless::witness {

namespace {

std::string host_of(const ProberConfig& config) {
  if (!config.host_header.empty()) return config.host_header;
  const std::string& name = config.tls_name.empty() ? config.address : config.tls_name;
  const bool v6 = name.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", name, v6 ? "]" : "", config.port);
}

void write_request(const ProberConfig& config, const std::string& host, Shape* shape) {
  const bool post = is_post(shape->type);
  shape->head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: hitless-prober\r\n",
                            post ? "POST" : "GET", shape->path, host);
  shape->tail = "\r\n";
  if (shape->type == RequestType::ws_echo) return;
  shape->head += fmt::format("Accept: */*\r\nConnection: {}\r\n",
                             is_kept(shape->type) ? "keep-alive" : "close");
  if (!post) return;
  shape->head += fmt::format("Content-Type: application/octet-stream\r\nContent-Length: {}\r\n{}: ",
                             config.post_body_bytes, config.id_header);
  shape->tail = "\r\n\r\n" + std::string(config.post_body_bytes, 'x');
}

}  // namespace

bool is_kept(RequestType type) {
  return type == RequestType::get_kept || type == RequestType::post_kept;
}

bool is_post(RequestType type) {
  return type == RequestType::post_new || type == RequestType::post_kept;
}

std::vector<Shape> shapes_of(const ProberConfig& config) {
  const std::string host = host_of(config);
  std::vector<Shape> shapes;
  // A type's share is the same whether it has one path of its own or shares all of them.
  int total = 0;
  for (const ProbePath& path : config.paths) total += path.weight;
  for (std::size_t t = 0; t < kRequestTypes; ++t) {
    const auto type = static_cast<RequestType>(t);
    std::vector<ProbePath> paths = config.paths;
    if (is_post(type) && !config.post_path.empty()) paths = {{config.post_path, total, {}}};
    if (type == RequestType::ws_echo && !config.ws_path.empty())
      paths = {{config.ws_path, total, {}}};
    for (const ProbePath& path : paths) {
      Shape shape;
      shape.type = type;
      shape.path = path.path;
      shape.expect = path.expect;
      shape.weight = std::int64_t{config.weights[t]} * path.weight;
      if (shape.weight == 0) continue;
      write_request(config, host, &shape);
      shapes.push_back(std::move(shape));
    }
  }
  return shapes;
}

Shape& next_of(std::vector<Shape>& shapes) {
  std::int64_t total = 0;
  Shape* best = &shapes.front();
  for (Shape& shape : shapes) {
    shape.credit += shape.weight;
    total += shape.weight;
    if (shape.credit > best->credit) best = &shape;
  }
  best->credit -= total;
  return *best;
}

}  // namespace hitless::witness
