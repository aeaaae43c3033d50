#include "adapters/aws/xml.hpp"

#include <expat.h>

#include <memory>

#include "base/text.hpp"

namespace hitless::aws {
namespace {

constexpr std::size_t kMaxBytes = 8u << 20;
constexpr std::size_t kMaxDepth = 24;
constexpr std::size_t kMaxElements = 60'000;

struct Reading {
  XML_Parser parser = nullptr;
  Xml root;
  std::vector<Xml> open;  // the path to where we are; owned here until it closes
  std::size_t elements = 0;
  std::string problem;

  void refuse(std::string why) {
    if (problem.empty()) problem = std::move(why);
    XML_StopParser(parser, XML_FALSE);
  }
};

std::string local_name(const char* name) {
  const std::string_view text = name;
  const std::size_t colon = text.rfind(':');
  return std::string(colon == std::string_view::npos ? text : text.substr(colon + 1));
}

void on_start(void* user, const char* name, const char** /*attributes*/) {
  auto& reading = *static_cast<Reading*>(user);
  if (reading.open.size() >= kMaxDepth) return reading.refuse("it is nested too deep");
  if (++reading.elements > kMaxElements) return reading.refuse("it has too many elements");
  reading.open.push_back(Xml{local_name(name), {}, {}});
}

void on_end(void* user, const char* /*name*/) {
  auto& reading = *static_cast<Reading*>(user);
  if (reading.open.empty()) return;
  Xml done = std::move(reading.open.back());
  reading.open.pop_back();
  done.text = std::string(trim(done.text));
  if (reading.open.empty()) {
    reading.root = std::move(done);
  } else {
    reading.open.back().children.push_back(std::move(done));
  }
}

void on_text(void* user, const char* text, int size) {
  auto& reading = *static_cast<Reading*>(user);
  if (!reading.open.empty()) reading.open.back().text.append(text, static_cast<std::size_t>(size));
}

void on_doctype(void* user, const char*, const char*, const char*, int) {
  static_cast<Reading*>(user)->refuse("it has a document type");
}

}  // namespace

const Xml* Xml::find(std::string_view path) const {
  const std::size_t slash = path.find('/');
  const std::string_view first = path.substr(0, slash);
  for (const Xml& child : children) {
    if (child.name != first) continue;
    return slash == std::string_view::npos ? &child : child.find(path.substr(slash + 1));
  }
  return nullptr;
}

std::string Xml::value(std::string_view path) const {
  const Xml* found = find(path);
  return found == nullptr ? std::string() : found->text;
}

std::vector<const Xml*> Xml::list(std::string_view path) const {
  std::vector<const Xml*> items;
  const Xml* found = find(path);
  if (found == nullptr) return items;
  for (const Xml& child : found->children)
    if (child.name == "member" || child.name == "item") items.push_back(&child);
  return items;
}

Result<Xml> parse_xml(std::string_view text) {
  if (text.size() > kMaxBytes) return fail(ErrorCode::invalid, "the XML is too long");
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(
      XML_ParserCreate(nullptr), &XML_ParserFree);
  if (parser == nullptr) return fail(ErrorCode::internal, "no XML parser");
  Reading reading;
  reading.parser = parser.get();
  XML_SetUserData(parser.get(), &reading);
  XML_SetElementHandler(parser.get(), &on_start, &on_end);
  XML_SetCharacterDataHandler(parser.get(), &on_text);
  XML_SetStartDoctypeDeclHandler(parser.get(), &on_doctype);
  const auto status = XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE);
  if (status != XML_STATUS_OK || !reading.problem.empty()) {
    const char* why = XML_ErrorString(XML_GetErrorCode(parser.get()));
    return fail(
        ErrorCode::invalid,
        "not the XML that was expected: " +
            (reading.problem.empty() ? std::string(why == nullptr ? "" : why) : reading.problem),
        "line " + std::to_string(XML_GetCurrentLineNumber(parser.get())));
  }
  return std::move(reading.root);
}

}  // namespace hitless::aws
