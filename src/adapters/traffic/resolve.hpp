// Names into endpoints, within a deadline.
#pragma once
#include <boost/asio/generic/stream_protocol.hpp>

#include "adapters/traffic/haproxy_socket.hpp"
#include "base/error.hpp"
#include "runtime/task.hpp"

namespace hitless::traffic {

using StreamEndpoint = boost::asio::generic::stream_protocol::endpoint;

// Of a tcp address. The first one that the name stands for.
Task<Result<StreamEndpoint>> resolve(SocketAddress address, DurationMs deadline_ms);

}  // namespace hitless::traffic
