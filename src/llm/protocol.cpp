#include "llm/protocol.hpp"

#include <boost/json.hpp>

#include "base/text.hpp"

namespace hitless::llm {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxCalls = 8;

json::value parsed(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  return error ? json::value() : value;
}

const json::object* object_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found == nullptr ? nullptr : found->if_object();
}

std::string text_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

std::int64_t number_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_int64() ? found->get_int64() : -1;
}

const json::object* first_object(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  if (found == nullptr || !found->is_array() || found->get_array().empty()) return nullptr;
  return found->get_array().front().if_object();
}

// ---- OpenAI ----
json::array openai_turn(const Turn& turn) {
  json::array out;
  if (turn.from_model && !turn.calls.empty()) {
    json::array calls;
    for (const Call& call : turn.calls)
      calls.push_back(json::object{
          {"id", call.id},
          {"type", "function"},
          {"function", json::object{{"name", call.name}, {"arguments", call.arguments}}}});
    out.push_back(
        json::object{{"role", "assistant"}, {"content", turn.text}, {"tool_calls", calls}});
    return out;
  }
  if (!turn.from_model && !turn.calls.empty()) {
    for (const Call& call : turn.calls)
      out.push_back(
          json::object{{"role", "tool"}, {"tool_call_id", call.id}, {"content", call.result}});
    return out;
  }
  out.push_back(
      json::object{{"role", turn.from_model ? "assistant" : "user"}, {"content", turn.text}});
  return out;
}

json::object openai_tool(const OfferedTool& tool, bool strict) {
  json::object function{
      {"name", tool.name}, {"description", tool.about}, {"parameters", parsed(tool.schema)}};
  if (strict) function["strict"] = true;
  return {{"type", "function"}, {"function", std::move(function)}};
}

OfferedTool answer_of(const Question& question) {
  return {question.name, question.about, question.schema};
}

// Those that look, and the one that stands for the answer.
void openai_tools(const Question& question, json::object& body) {
  json::array tools;
  for (const OfferedTool& tool : question.tools) tools.push_back(openai_tool(tool, false));
  tools.push_back(openai_tool(answer_of(question), true));
  body["tools"] = std::move(tools);
  if (question.tools.empty() || question.must_answer)
    body["tool_choice"] =
        json::object{{"type", "function"}, {"function", json::object{{"name", question.name}}}};
  else
    body["tool_choice"] = "required";
}

json::object openai_body(const Question& question) {
  json::array messages;
  messages.push_back(json::object{{"role", "system"}, {"content", question.system}});
  for (const Turn& turn : question.turns)
    for (json::value& each : openai_turn(turn)) messages.push_back(std::move(each));
  json::object body{{"model", question.model}, {"messages", std::move(messages)}};
  body[question.newer_limit ? "max_completion_tokens" : "max_tokens"] = question.max_tokens;
  if (!question.tools.empty() || question.form == Form::tool) {
    openai_tools(question, body);
  } else if (question.form == Form::schema) {
    body["response_format"] =
        json::object{{"type", "json_schema"},
                     {"json_schema", json::object{{"name", question.name},
                                                  {"strict", true},
                                                  {"schema", parsed(question.schema)}}}};
  }
  if (question.stream) {
    body["stream"] = true;
    body["stream_options"] = json::object{{"include_usage", true}};
  }
  return body;
}

// Some servers do not count and say 0: no question has none.
std::int64_t tokens_at(const json::object& from, std::string_view key) {
  const std::int64_t said = number_at(from, key);
  return said > 0 ? said : -1;
}

void openai_usage(const json::object& from, Answer& answer) {
  const json::object* usage = object_at(from, "usage");
  if (usage == nullptr) return;
  answer.prompt_tokens = tokens_at(*usage, "prompt_tokens");
  answer.answer_tokens = tokens_at(*usage, "completion_tokens");
}

void openai_end(const json::object& choice, Answer& answer) {
  const std::string reason = text_at(choice, "finish_reason");
  if (reason.empty()) return;
  answer.ended = true;
  answer.cut = reason == "length";
}

Result<Answer> openai_answer(const json::object& whole) {
  const json::object* choice = first_object(whole, "choices");
  const json::object* message = choice == nullptr ? nullptr : object_at(*choice, "message");
  if (message == nullptr) return fail(ErrorCode::invalid, "the answer has no message");
  Answer answer;
  answer.text = text_at(*message, "content");
  if (const json::value* calls = message->if_contains("tool_calls"); calls && calls->is_array()) {
    for (const json::value& each : calls->get_array()) {
      const json::object* call = each.if_object();
      const json::object* function = call == nullptr ? nullptr : object_at(*call, "function");
      if (function == nullptr || answer.calls.size() >= kMaxCalls) continue;
      answer.calls.push_back({text_at(*call, "id"),
                              text_at(*function, "name"),
                              text_at(*function, "arguments"),
                              {},
                              false});
    }
  }
  openai_end(*choice, answer);
  openai_usage(whole, answer);
  return answer;
}

// ---- Anthropic ----
json::object anthropic_turn(const Turn& turn) {
  if (turn.calls.empty())
    return {{"role", turn.from_model ? "assistant" : "user"}, {"content", turn.text}};
  json::array content;
  if (turn.from_model && !turn.text.empty())
    content.push_back(json::object{{"type", "text"}, {"text", turn.text}});
  for (const Call& call : turn.calls) {
    if (turn.from_model) {
      json::value input = parsed(call.arguments);
      if (!input.is_object()) input = json::object{};
      content.push_back(json::object{
          {"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", input}});
    } else {
      json::object result{
          {"type", "tool_result"}, {"tool_use_id", call.id}, {"content", call.result}};
      if (call.failed) result["is_error"] = true;
      content.push_back(std::move(result));
    }
  }
  return {{"role", turn.from_model ? "assistant" : "user"}, {"content", std::move(content)}};
}

json::object anthropic_tool(const OfferedTool& tool) {
  return {{"name", tool.name}, {"description", tool.about}, {"input_schema", parsed(tool.schema)}};
}

json::object anthropic_body(const Question& question) {
  json::array messages;
  for (const Turn& turn : question.turns) messages.push_back(anthropic_turn(turn));
  json::object body{{"model", question.model},
                    {"max_tokens", question.max_tokens},
                    {"system", question.system},
                    {"messages", std::move(messages)}};
  if (!question.tools.empty() || question.form != Form::plain) {
    json::array tools;
    for (const OfferedTool& tool : question.tools) tools.push_back(anthropic_tool(tool));
    tools.push_back(anthropic_tool(answer_of(question)));
    body["tools"] = std::move(tools);
    body["tool_choice"] = question.tools.empty() || question.must_answer
                              ? json::object{{"type", "tool"}, {"name", question.name}}
                              : json::object{{"type", "any"}};
  }
  if (question.stream) body["stream"] = true;
  return body;
}

void anthropic_usage(const json::object& usage, Answer& answer) {
  std::int64_t all = 0;
  for (const char* key : {"input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"})
    all += std::max<std::int64_t>(number_at(usage, key), 0);
  if (usage.contains("input_tokens")) answer.prompt_tokens = all > 0 ? all : -1;
  if (usage.contains("output_tokens")) answer.answer_tokens = number_at(usage, "output_tokens");
}

void anthropic_end(const std::string& reason, Answer& answer) {
  if (reason.empty()) return;
  answer.ended = true;
  answer.cut = reason == "max_tokens" || reason == "model_context_window_exceeded";
}

Result<Answer> anthropic_answer(const json::object& whole) {
  const json::value* content = whole.if_contains("content");
  if (content == nullptr || !content->is_array())
    return fail(ErrorCode::invalid, "the answer has no content");
  Answer answer;
  for (const json::value& each : content->get_array()) {
    const json::object* block = each.if_object();
    if (block == nullptr) continue;
    if (text_at(*block, "type") == "text") answer.text += text_at(*block, "text");
    const json::object* input = object_at(*block, "input");
    if (text_at(*block, "type") == "tool_use" && input != nullptr &&
        answer.calls.size() < kMaxCalls)
      answer.calls.push_back(
          {text_at(*block, "id"), text_at(*block, "name"), json::serialize(*input), {}, false});
  }
  anthropic_end(text_at(whole, "stop_reason"), answer);
  if (const json::object* usage = object_at(whole, "usage")) anthropic_usage(*usage, answer);
  return answer;
}

}  // namespace

std::string request_body(Api api, const Question& question) {
  return json::serialize(api == Api::openai ? openai_body(question) : anthropic_body(question));
}

std::string request_url(Api api, std::string_view base) {
  while (!base.empty() && base.back() == '/') base.remove_suffix(1);
  if (api == Api::openai) return std::string(base) + "/chat/completions";
  return std::string(base) + "/v1/messages";
}

std::vector<std::string> request_headers(Api api, const std::string& key) {
  std::vector<std::string> headers = {"Content-Type: application/json", "Accept: application/json"};
  if (!key.empty()) headers.push_back("Authorization: Bearer " + key);
  // The version that the official client of today names (tests/llm/golden).
  if (api == Api::anthropic) headers.emplace_back("anthropic-version: 2026-10-21");
  return headers;
}

Result<Answer> read_answer(Api api, std::string_view body) {
  const json::value whole = parsed(body);
  if (!whole.is_object()) return fail(ErrorCode::invalid, "the answer is not JSON");
  return api == Api::openai ? openai_answer(whole.get_object())
                            : anthropic_answer(whole.get_object());
}

bool Stream::feed(std::string_view part) {
  if (!error_.empty()) return false;
  seen_ += part.size();
  buffer_.append(part);
  if (seen_ > 8 * kMaxAnswerBytes || answer_.text.size() > kMaxAnswerBytes) {
    error_ = "the answer is too long";
    return false;
  }
  // A line ends with \n, \r\n; what belongs to one event and stands in several data lines is JSON
  // in one line with both protocols.
  std::size_t end = 0;
  while ((end = buffer_.find('\n')) != std::string::npos) {
    std::string_view line(buffer_.data(), end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const bool good = !line.starts_with("data:") || event(trim(line.substr(5)));
    buffer_.erase(0, end + 1);
    if (!good) return false;
  }
  return true;
}

bool Stream::event(std::string_view data) {
  if (data.empty() || data == "[DONE]") return true;
  if (api_ == Api::openai) openai(data);
  if (api_ == Api::anthropic) anthropic(data);
  return error_.empty();
}

// Null beyond the limit: what does not fit is left out, and not mixed into another.
Call* Stream::call_at(std::int64_t index) {
  if (index < 0 || static_cast<std::size_t>(index) >= kMaxCalls) return nullptr;
  while (answer_.calls.size() <= static_cast<std::size_t>(index)) answer_.calls.emplace_back();
  return &answer_.calls[static_cast<std::size_t>(index)];
}

void Stream::openai(std::string_view data) {
  const json::value whole = parsed(data);
  if (!whole.is_object()) {
    error_ = "the stream holds what is not JSON";
    return;
  }
  if (whole.get_object().contains("error")) {
    error_ = error_of(data);
    return;
  }
  openai_usage(whole.get_object(), answer_);
  const json::object* choice = first_object(whole.get_object(), "choices");
  if (choice == nullptr) return;
  openai_end(*choice, answer_);
  const json::object* delta = object_at(*choice, "delta");
  if (delta == nullptr) return;
  answer_.text += text_at(*delta, "content");
  const json::value* calls = delta->if_contains("tool_calls");
  if (calls == nullptr || !calls->is_array()) return;
  for (const json::value& each : calls->get_array()) {
    const json::object* part = each.if_object();
    if (part == nullptr) continue;
    // Some servers count no index where there is one call.
    Call* call = call_at(part->contains("index") ? number_at(*part, "index") : 0);
    if (call == nullptr) continue;
    if (call->id.empty()) call->id = text_at(*part, "id");
    if (const json::object* function = object_at(*part, "function")) {
      call->name += text_at(*function, "name");
      call->arguments += text_at(*function, "arguments");
    }
  }
}

void Stream::anthropic(std::string_view data) {
  const json::value whole = parsed(data);
  if (!whole.is_object()) {
    error_ = "the stream holds what is not JSON";
    return;
  }
  const json::object& event = whole.get_object();
  const std::string type = text_at(event, "type");
  if (type == "error") error_ = error_of(data);
  if (type == "message_start") {
    const json::object* message = object_at(event, "message");
    const json::object* usage = message == nullptr ? nullptr : object_at(*message, "usage");
    if (usage != nullptr) anthropic_usage(*usage, answer_);
  }
  if (type == "content_block_start") {
    const json::object* block = object_at(event, "content_block");
    in_call_ = block != nullptr && text_at(*block, "type") == "tool_use" &&
               answer_.calls.size() < kMaxCalls;
    if (in_call_)
      answer_.calls.push_back({text_at(*block, "id"), text_at(*block, "name"), {}, {}, false});
  }
  if (type == "content_block_delta") {
    const json::object* delta = object_at(event, "delta");
    if (delta == nullptr) return;
    answer_.text += text_at(*delta, "text");
    if (in_call_) answer_.calls.back().arguments += text_at(*delta, "partial_json");
  }
  if (type == "message_delta") {
    if (const json::object* delta = object_at(event, "delta"))
      anthropic_end(text_at(*delta, "stop_reason"), answer_);
    const json::object* usage = object_at(event, "usage");
    if (usage != nullptr) answer_.answer_tokens = number_at(*usage, "output_tokens");
  }
}

std::string error_of(std::string_view body) {
  const json::value whole = parsed(body);
  std::string said;
  if (const json::object* object = whole.if_object()) {
    if (const json::object* error = object_at(*object, "error")) said = text_at(*error, "message");
    if (said.empty()) said = text_at(*object, "error");
    if (said.empty()) said = text_at(*object, "message");
  }
  return escape_for_terminal(
      redact(truncate_utf8(said.empty() ? "no reason was given" : said, 300)));
}

}  // namespace hitless::llm
