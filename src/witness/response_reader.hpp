// Reads one HTTP/1.1 answer, byte by byte as it comes, strictly: what a careful client would refuse
// is malformed here, because a load balancer that glues two answers together has lost a request.
//
// The body is counted, not kept. Memory is bounded by kMaxHeadBytes whatever the server sends.
// After complete or malformed it takes no more; make a new one for the next answer.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace hitless::witness {

class ResponseReader {
 public:
  enum class State { reading, complete, malformed };

  static constexpr std::size_t kMaxHeadBytes = 16 * 1024;
  static constexpr std::size_t kMaxLineBytes = 1024;  // of a chunk's size or a trailer
  static constexpr std::size_t kMaxTrailerBytes = 4 * 1024;
  static constexpr int kMaxHeaders = 100;
  static constexpr int kMaxInterim = 8;  // 1xx answers before the final one

  // server_header: its value is kept as server(); max_body_bytes: a longer body is malformed.
  // expect: found() says whether the body held it. Both views must outlive the reader.
  explicit ResponseReader(std::string_view server_header = {},
                          std::uint64_t max_body_bytes = 64u << 20, std::string_view expect = {})
      : server_header_(server_header), max_body_bytes_(max_body_bytes), expect_(expect) {}

  State feed(std::string_view bytes);
  // The other side closed in order (not by a reset): completes a body that ends with the
  // connection.
  State finish();

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool any_byte() const { return any_byte_; }
  [[nodiscard]] bool head_done() const { return phase_ != Phase::head; }
  [[nodiscard]] int status() const { return status_; }  // 0 before the head was read
  // The connection may carry another request: the answer's end was framed, nothing followed it, and
  // the server did not say close.
  [[nodiscard]] bool reusable() const { return state_ == State::complete && keep_ && !excess_; }
  [[nodiscard]] const std::string& server() const { return server_; }  // raw, at most 128 bytes
  [[nodiscard]] const char* why() const { return why_; }               // when malformed
  [[nodiscard]] bool found() const { return found_ || expect_.empty(); }
  [[nodiscard]] std::uint64_t body_bytes() const { return body_bytes_; }

 private:
  enum class Phase { head, counted, chunk_size, chunk_data, chunk_end, trailer, until_close };

  State bad(const char* why);
  std::size_t take_head(std::string_view bytes);
  std::size_t take_body(std::string_view bytes);
  std::size_t take_line(std::string_view bytes, bool* whole);
  void parse_head();
  bool parse_status_line(std::string_view line);
  bool parse_header(std::string_view line);
  void choose_body();
  void look_for_expected(std::string_view bytes);
  void end_of_chunk_size();
  void end_of_trailer_line();

  std::string_view server_header_;
  std::uint64_t max_body_bytes_;
  std::string_view expect_;
  std::string seam_;  // the end of the body so far: what is expected may be cut by two reads
  bool found_ = false;
  State state_ = State::reading;
  Phase phase_ = Phase::head;
  std::string line_;  // the head, then the chunk line being read
  std::string server_;
  const char* why_ = "";
  std::int64_t content_length_ = -1;
  std::uint64_t left_ = 0;  // of the body or chunk
  std::uint64_t body_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  int status_ = 0;
  int interim_ = 0;
  bool chunked_ = false;
  bool keep_ = true;
  bool excess_ = false;
  bool any_byte_ = false;
};

}  // namespace hitless::witness
