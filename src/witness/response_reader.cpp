#include "witness/response_reader.hpp"

namespace hitless::witness {

namespace {

constexpr std::size_t kMaxServerBytes = 128;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

bool digit(char c) {
  return c >= '0' && c <= '9';
}

bool token_char(char c) {
  if (digit(c) || (lower(c) >= 'a' && lower(c) <= 'z')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool clean_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u == '\t' || (u >= 0x20 && u != 0x7f);
  });
}

std::string_view blanks_off(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool list_has(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (same(blanks_off(list.substr(0, comma)), word)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

ResponseReader::State ResponseReader::bad(const char* why) {
  why_ = why;
  return state_ = State::malformed;
}

ResponseReader::State ResponseReader::feed(std::string_view bytes) {
  if (!bytes.empty()) any_byte_ = true;
  while (!bytes.empty() && state_ == State::reading)
    bytes.remove_prefix(phase_ == Phase::head ? take_head(bytes) : take_body(bytes));
  if (!bytes.empty() && state_ == State::complete) excess_ = true;
  return state_;
}

ResponseReader::State ResponseReader::finish() {
  if (state_ == State::reading && phase_ == Phase::until_close) state_ = State::complete;
  return state_;
}

std::size_t ResponseReader::take_head(std::string_view bytes) {
  const std::size_t before = line_.size();
  line_.append(bytes.substr(0, kMaxHeadBytes + 1 - before));
  const std::size_t end = line_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    // A server that does not speak HTTP is told at once, not at the timeout.
    const std::string_view start = "HTTP/1.";
    const std::size_t n = std::min(start.size(), line_.size());
    if (line_.compare(0, n, start.substr(0, n)) != 0) bad("not HTTP/1.x");
    if (line_.size() > kMaxHeadBytes) bad("head longer than 16 KiB");
    return line_.size() - before;
  }
  const std::size_t used = end + 4 - before;
  line_.resize(end + 2);
  parse_head();
  line_.clear();
  return used;
}

void ResponseReader::parse_head() {
  std::string_view rest = line_;
  int headers = 0;
  for (bool first = true; !rest.empty(); first = false) {
    const std::size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    if (!(first ? parse_status_line(line) : parse_header(line))) return;
    if (!first && ++headers > kMaxHeaders) {
      bad("more than 100 headers");
      return;
    }
  }
  if (status_ >= 100 && status_ < 200) {
    // 100 and 103 may come first; 101 would change the protocol, which we did not ask for.
    if (status_ == 101 || ++interim_ > kMaxInterim) bad("unexpected 1xx answer");
    content_length_ = -1;
    chunked_ = false;
    status_ = 0;
    return;
  }
  choose_body();
}

bool ResponseReader::parse_status_line(std::string_view line) {
  const bool shaped = line.size() >= 12 && line.substr(0, 7) == "HTTP/1." &&
                      (line[7] == '0' || line[7] == '1') && line[8] == ' ' && digit(line[9]) &&
                      digit(line[10]) && digit(line[11]) && (line.size() == 12 || line[12] == ' ');
  if (!shaped || line[9] < '1' || line[9] > '5' || !clean_value(line)) {
    bad("bad status line");
    return false;
  }
  status_ = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (line[7] == '0') keep_ = false;
  return true;
}

bool ResponseReader::parse_header(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos ||
      !std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon), token_char)) {
    bad("bad header name");
    return false;
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = blanks_off(line.substr(colon + 1));
  if (!clean_value(value)) {
    bad("control characters in a header");
    return false;
  }
  if (same(name, "content-length")) {
    std::int64_t length = 0;
    if (value.empty() || value.size() > 15 || !std::all_of(value.begin(), value.end(), digit)) {
      bad("bad content-length");
      return false;
    }
    for (char c : value) length = length * 10 + (c - '0');
    if (content_length_ >= 0 && content_length_ != length) {
      bad("two different content-lengths");
      return false;
    }
    content_length_ = length;
  } else if (same(name, "transfer-encoding")) {
    if (!same(value, "chunked") || chunked_) {
      bad("unknown transfer-encoding");
      return false;
    }
    chunked_ = true;
  } else if (same(name, "connection")) {
    if (list_has(value, "close")) keep_ = false;
  } else if (!server_header_.empty() && same(name, server_header_)) {
    server_ = std::string(value.substr(0, kMaxServerBytes));
  }
  return true;
}

void ResponseReader::choose_body() {
  if (chunked_ && content_length_ >= 0) {
    bad("both content-length and transfer-encoding");
  } else if (status_ == 204 || status_ == 304) {
    phase_ = Phase::counted;
    state_ = State::complete;
  } else if (chunked_) {
    phase_ = Phase::chunk_size;
  } else if (content_length_ < 0) {
    phase_ = Phase::until_close;
    keep_ = false;
  } else {
    phase_ = Phase::counted;
    left_ = static_cast<std::uint64_t>(content_length_);
    if (left_ > max_body_bytes_) bad("body longer than the limit");
    if (left_ == 0) state_ = State::complete;
  }
}

std::size_t ResponseReader::take_line(std::string_view bytes, bool* whole) {
  const std::size_t end = bytes.find('\n');
  const std::size_t used = end == std::string_view::npos ? bytes.size() : end + 1;
  if (line_.size() + used > kMaxLineBytes) {
    bad("chunk line longer than 1 KiB");
    return used;
  }
  line_.append(bytes.substr(0, used));
  *whole = end != std::string_view::npos;
  if (!*whole) return used;
  if (line_.size() < 2 || line_[line_.size() - 2] != '\r') {
    bad("chunk line does not end in CRLF");
    return used;
  }
  line_.resize(line_.size() - 2);
  return used;
}

std::size_t ResponseReader::take_body(std::string_view bytes) {
  if (phase_ == Phase::counted || phase_ == Phase::chunk_data || phase_ == Phase::until_close) {
    std::size_t used = bytes.size();
    if (phase_ != Phase::until_close) {
      used = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      left_ -= used;
    }
    body_bytes_ += used;
    look_for_expected(bytes.substr(0, used));
    if (body_bytes_ > max_body_bytes_) {
      bad("body longer than the limit");
    } else if (left_ == 0 && phase_ == Phase::counted) {
      state_ = State::complete;
    } else if (left_ == 0 && phase_ == Phase::chunk_data) {
      phase_ = Phase::chunk_end;
    }
    return used;
  }
  bool whole = false;
  const std::size_t used = take_line(bytes, &whole);
  if (state_ != State::reading || !whole) return used;
  if (phase_ == Phase::chunk_size) {
    end_of_chunk_size();
  } else if (phase_ == Phase::trailer) {
    end_of_trailer_line();
  } else if (!line_.empty()) {
    bad("chunk longer than it said");
  } else {
    phase_ = Phase::chunk_size;
  }
  line_.clear();
  return used;
}

void ResponseReader::look_for_expected(std::string_view bytes) {
  if (expect_.empty() || found_) return;
  const std::size_t keep = expect_.size() - 1;
  seam_.append(bytes.substr(0, keep));
  found_ = seam_.find(expect_) != std::string::npos || bytes.find(expect_) != std::string::npos;
  if (bytes.size() > keep) seam_ = bytes.substr(bytes.size() - keep);
  if (seam_.size() > keep) seam_.erase(0, seam_.size() - keep);
}

void ResponseReader::end_of_chunk_size() {
  const std::string_view text = blanks_off(std::string_view(line_).substr(0, line_.find(';')));
  std::uint64_t size = 0;
  if (text.empty() || text.size() > 12) {
    bad("bad chunk size");
    return;
  }
  for (char c : text) {
    const char l = lower(c);
    if (!digit(l) && !(l >= 'a' && l <= 'f')) {
      bad("bad chunk size");
      return;
    }
    size = size * 16 + static_cast<std::uint64_t>(digit(l) ? l - '0' : l - 'a' + 10);
  }
  left_ = size;
  phase_ = size == 0 ? Phase::trailer : Phase::chunk_data;
}

void ResponseReader::end_of_trailer_line() {
  trailer_bytes_ += line_.size() + 2;
  if (line_.empty()) {
    state_ = State::complete;
  } else if (trailer_bytes_ > kMaxTrailerBytes) {
    bad("trailers longer than 4 KiB");
  } else if (const std::size_t colon = line_.find(':'); colon == 0 || colon == std::string::npos) {
    bad("bad trailer");
  }
}

}  // namespace hitless::witness
