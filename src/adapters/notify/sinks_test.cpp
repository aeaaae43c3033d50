#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "adapters/notify/delivery.hpp"
#include "adapters/notify/test_server.hpp"
#include "base/digest.hpp"
#include "runtime/child.hpp"
#include "runtime/process.hpp"

namespace hitless::notify {
namespace {

namespace json = boost::json;
using namespace test;
using ports::NotificationKind;

std::string audit_log() {
  std::string text;
  for (int i = 0; i < 500; ++i)
    text += "{\"seq\":" + std::to_string(i) + ",\"body\":\"→ web01 \\\"x\\\"\"}\n";
  return text;
}

ports::Notification sample(NotificationKind kind = NotificationKind::failed) {
  ports::Notification n;
  n.key = "R-7f3a/failed";
  n.kind = kind;
  n.rollout = "R-7f3a";
  n.service = "web";
  n.result = "rolled_back";
  n.incident = "INC-12";
  n.title = "R-7f3a web FAILED → ROLLED BACK";
  n.text = "why  GET /healthz → 503\npassword=hunter2secret\n<!channel> & ```\x1b[31m\n.\n..dots";
  n.actor = "ann";
  n.at = 1'771'423'483'120;
  n.fields = {{"floor", "4"}, {"where", "web03"}};
  n.attachments = {{"R-7f3a-audit.jsonl", "application/x-ndjson", audit_log()}};
  return n;
}

Delivery deliver(ports::Sink& sink, ports::Notification notification) {
  Delivery result;
  run_until_done([&]() -> Task<void> { result = co_await sink.deliver(notification); });
  return result;
}

template <class T>
std::unique_ptr<ports::Sink> must(Result<T> sink) {
  EXPECT_TRUE(sink.has_value()) << (sink ? "" : describe(sink.error()));
  return sink ? std::move(*sink) : nullptr;
}

SinkOptions options(DurationMs timeout_ms = 5000) {
  return {"ops", false, {}, timeout_ms, "", false};
}

std::string hmac_by_openssl(const std::string& key, const std::string& data) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest, &size);
  unsigned char text[128];
  EVP_EncodeBlock(text, digest, static_cast<int>(size));
  return reinterpret_cast<const char*>(text);
}

// Runs a Python program with input; its output.
std::string python(const std::string& program, const std::string& input) {
  std::string out;
  run_until_done([&]() -> Task<void> {
    std::vector<std::string> argv;
    for (const char* word : {"python3", "-c"}) argv.emplace_back(word);
    argv.push_back(program);
    const auto done = co_await run_process(argv, input, 20'000, 8u << 20);
    out = done ? done->out + done->err : describe(done.error());
  });
  return out;
}

// ---- webhook ------------------------------------------------------------------------------------
TEST(webhook, signs_and_carries_everything) {
  HttpServer server([](const HttpSeen&) { return HttpReply{204, "", "", 0, ""}; });
  auto sink = must(make_webhook(
      {options(), server.url("/hook"), {"old secret", "whsec_bmV3IHNlY3JldA=="}, {"X-Team: ops"}}));
  ASSERT_TRUE(deliver(*sink, sample()).has_value());
  ASSERT_EQ(server.seen().size(), 1u);
  const auto seen = server.seen().front();
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/hook");
  EXPECT_EQ(seen.headers.at("x-team"), "ops");
  const std::string signed_text =
      seen.headers.at("webhook-id") + "." + seen.headers.at("webhook-timestamp") + "." + seen.body;
  EXPECT_EQ(seen.headers.at("webhook-signature"),
            "v1," + hmac_by_openssl("old secret", signed_text) + " v1," +
                hmac_by_openssl("new secret", signed_text));
  EXPECT_EQ(python("import sys,hmac,hashlib,base64\n"
                   "d=sys.stdin.buffer.read()\n"
                   "print(base64.b64encode(hmac.new(b'new "
                   "secret',d,hashlib.sha256).digest()).decode(),end='')",
                   signed_text),
            hmac_by_openssl("new secret", signed_text));
  const auto data = json::parse(seen.body).at("data");
  EXPECT_EQ(data.at("rollout").as_string(), "R-7f3a");
  EXPECT_EQ(data.at("kind").as_string(), "failed");
  EXPECT_EQ(data.at("incident").as_string(), "INC-12");
  EXPECT_EQ(data.at("fields").at(1).at("value").as_string(), "web03");
  EXPECT_EQ(data.at("attachments").at(0).at("encoding").as_string(), "text");
  EXPECT_EQ(data.at("attachments").at(0).at("content").as_string(), audit_log());
  EXPECT_EQ(seen.body.find("hunter2secret"), std::string::npos);
  EXPECT_EQ(seen.body.find("\\u001b"), std::string::npos);
}

TEST(webhook, id_is_stable_and_binary_goes_as_base64) {
  HttpServer server([](const HttpSeen&) { return HttpReply{}; });
  auto sink = must(make_webhook({options(), server.url(), {}, {}}));
  auto n = sample();
  n.attachments[0].content = std::string("\xff\x00\x01", 3);
  ASSERT_TRUE(deliver(*sink, n).has_value());
  ASSERT_TRUE(deliver(*sink, n).has_value());
  const auto seen = server.seen();
  EXPECT_EQ(seen[0].headers.at("webhook-id"), seen[1].headers.at("webhook-id"));
  EXPECT_FALSE(seen[0].headers.contains("webhook-signature"));
  const auto attachment = json::parse(seen[0].body).at("data").at("attachments").at(0);
  EXPECT_EQ(attachment.at("encoding").as_string(), "base64");
  EXPECT_EQ(decode_base64(attachment.at("content").as_string()), std::string("\xff\x00\x01", 3));
}

struct Case {
  HttpReply reply;
  bool final;
  std::optional<DurationMs> retry_after_ms;
};

TEST(webhook, wrong_answers_are_classified) {
  const std::vector<Case> cases = {
      {{400, "bad", "", 0, ""}, true, {}},
      {{401, "", "", 0, ""}, true, {}},
      {{404, "", "", 0, ""}, true, {}},
      {{302, "", "Location: http://127.0.0.1:1/\r\n", 0, ""}, true, {}},
      {{429, "", "Retry-After: 7\r\n", 0, ""}, false, 7000},
      {{429, "", "", 0, ""}, false, {}},
      {{503, "", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", 0, ""}, false, 0},
      {{500, "oops", "", 0, ""}, false, {}},
      {{500, "", "Retry-After: 999999999\r\n", 0, ""}, false, 3'600'000},
      {{200, "", "", 0, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"}, false, {}},
      {{200, "", "", 0, "HTTP/1.1 200 OK"}, false, {}},
  };
  for (const auto& c : cases) {
    HttpServer server([&](const HttpSeen&) { return c.reply; });
    auto sink = must(make_webhook({options(), server.url(), {}, {}}));
    const auto result = deliver(*sink, sample());
    ASSERT_FALSE(result.has_value()) << c.reply.status;
    EXPECT_EQ(result.error().final, c.final)
        << c.reply.status << " " << describe(result.error().error);
    EXPECT_EQ(result.error().retry_after_ms, c.retry_after_ms) << c.reply.status;
  }
}

TEST(webhook, slow_and_refused_are_worth_another_try) {
  HttpServer server([](const HttpSeen&) { return HttpReply{200, "ok", "", 600, ""}; });
  auto slow = must(make_webhook({options(150), server.url(), {}, {}}));
  auto result = deliver(*slow, sample());
  ASSERT_FALSE(result.has_value());
  EXPECT_FALSE(result.error().final);
  EXPECT_EQ(result.error().error.code, ErrorCode::timed_out);
  auto closed =
      must(make_webhook({options(), fmt::format("http://127.0.0.1:{}/", closed_port()), {}, {}}));
  result = deliver(*closed, sample());
  ASSERT_FALSE(result.has_value());
  EXPECT_FALSE(result.error().final);
}

TEST(webhook, secrets_are_in_no_error) {
  HttpServer server([](const HttpSeen& seen) {
    return HttpReply{
        403, "no: " + seen.path + " Bearer topsecrettoken " + seen.headers.at("webhook-signature"),
        "", 0, ""};
  });
  auto sink = must(make_webhook({options(),
                                 server.url("/T0/B0/sekritpath?sig=sekritquery"),
                                 {"signingsecret"},
                                 {"Authorization: Bearer topsecrettoken"}}));
  const auto result = deliver(*sink, sample());
  ASSERT_FALSE(result.has_value());
  const std::string text = describe(result.error().error);
  EXPECT_EQ(text.find("topsecrettoken"), std::string::npos) << text;
  EXPECT_EQ(text.find("sekritquery"), std::string::npos) << text;
  EXPECT_EQ(text.find("sekritpath"), std::string::npos) << text;
  EXPECT_EQ(scheme_and_host("https://u:p@hooks.slack.com/services/T/B/x"),
            "https://hooks.slack.com");
  const auto bad = make_webhook({options(), "hooks.example.org/secretpath", {}, {}});
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(describe(bad.error()).find("secretpath"), std::string::npos);
  EXPECT_FALSE(make_webhook({options(), "https://x.example/", {"whsec_???"}, {}}).has_value());
  EXPECT_FALSE(make_webhook({options(), "https://x.example/\r\nX: y", {}, {}}).has_value());
}

TEST(sinks, kinds_that_are_wanted) {
  SinkOptions o = options();
  EXPECT_FALSE(wants_kind(o, NotificationKind::started));
  EXPECT_TRUE(wants_kind(o, NotificationKind::failed));
  o.on = {NotificationKind::failed};
  EXPECT_FALSE(wants_kind(o, NotificationKind::succeeded));
  EXPECT_TRUE(wants_kind(o, NotificationKind::test));
}

// ---- Slack --------------------------------------------------------------------------------------
// Plays the three steps of an upload, as Slack does it.
struct FakeSlack {
  std::map<std::string, std::string> answers;  // by method, overriding
  int webhook_status = 200;
  std::string uploaded;
  HttpServer server{[this](const HttpSeen& seen) { return answer(seen); }};

  HttpReply answer(const HttpSeen& seen) {
    if (seen.path == "/services/T/B/x")
      return {webhook_status, webhook_status == 200 ? "ok" : "no_service", "", 0, ""};
    if (seen.path == "/upload/1") {
      uploaded = seen.body;
      return {200, "OK - " + std::to_string(seen.body.size()), "", 0, ""};
    }
    const std::string method = seen.path.substr(5);
    if (seen.headers.at("authorization") != "Bearer xoxb-token")
      return {200, R"({"ok":false,"error":"invalid_auth"})", "", 0, ""};
    if (answers.contains(method)) return {200, answers[method], "", 0, ""};
    if (method == "files.getUploadURLExternal") {
      return {200,
              R"({"ok":true,"upload_url":")" + server.url("/upload/1") + R"(","file_id":"F1"})", "",
              0, ""};
    }
    return {200, R"({"ok":true})", "", 0, ""};
  }
  std::unique_ptr<ports::Sink> sink(bool webhook, bool token) {
    return must(make_slack({options(), webhook ? server.url("/services/T/B/x") : "",
                            token ? "xoxb-token" : "", token ? "C1" : "", server.url("/api")}));
  }
};

TEST(slack, webhook_message_has_text_and_blocks_and_mentions_nobody) {
  FakeSlack slack;
  ASSERT_TRUE(deliver(*slack.sink(true, false), sample()).has_value());
  const auto seen = slack.server.seen();
  ASSERT_EQ(seen.size(), 1u);
  const auto message = json::parse(seen[0].body);
  EXPECT_EQ(message.at("text").as_string(), "✖ R-7f3a web FAILED → ROLLED BACK");
  const auto& blocks = message.at("blocks").as_array();
  ASSERT_EQ(blocks.size(), 4u) << seen[0].body;
  EXPECT_EQ(blocks[0].at("type").as_string(), "header");
  EXPECT_EQ(blocks[0].at("text").at("type").as_string(), "plain_text");
  const std::string text(blocks[1].at("text").at("text").as_string());
  EXPECT_NE(text.find("&lt;!channel&gt; &amp; '''"), std::string::npos) << text;
  EXPECT_EQ(text.find("hunter2secret"), std::string::npos);
  EXPECT_EQ(blocks[2].at("fields").at(0).at("text").as_string(), "*floor*\n4");
  EXPECT_EQ(blocks[3].at("elements").at(0).at("type").as_string(), "mrkdwn");
}

TEST(slack, long_text_stays_within_slacks_limits) {
  FakeSlack slack;
  auto n = sample();
  n.title = std::string(1000, 'x');
  n.text.clear();
  for (int i = 0; i < 5000; ++i) n.text += "<é>";
  for (int i = 0; i < 30; ++i) n.fields.emplace_back("f", std::string(3000, 'y'));
  ASSERT_TRUE(deliver(*slack.sink(true, false), n).has_value());
  const auto message = json::parse(slack.server.seen()[0].body);
  const auto& blocks = message.at("blocks").as_array();
  EXPECT_LE(blocks[0].at("text").at("text").as_string().size(), 150u);
  EXPECT_LE(blocks[1].at("text").at("text").as_string().size(), 3000u);
  EXPECT_EQ(blocks[2].at("fields").as_array().size(), 10u);
  EXPECT_LE(blocks[2].at("fields").at(5).at("text").as_string().size(), 2000u);
}

TEST(slack, uploads_the_audit_log_byte_for_byte) {
  FakeSlack slack;
  ASSERT_TRUE(deliver(*slack.sink(true, true), sample()).has_value());
  const auto seen = slack.server.seen();
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[1].body,
            "filename=R-7f3a-audit.jsonl&length=" + std::to_string(audit_log().size()));
  EXPECT_EQ(slack.uploaded, audit_log());
  EXPECT_FALSE(seen[2].headers.contains("authorization")) << "the token goes to the API only";
  const auto complete = json::parse(seen[3].body);
  EXPECT_EQ(complete.at("files").at(0).at("id").as_string(), "F1");
  EXPECT_EQ(complete.at("channel_id").as_string(), "C1");
}

TEST(slack, token_alone_posts_through_the_api) {
  FakeSlack slack;
  ASSERT_TRUE(deliver(*slack.sink(false, true), sample()).has_value());
  EXPECT_EQ(slack.server.seen()[0].path, "/api/chat.postMessage");
  EXPECT_EQ(json::parse(slack.server.seen()[0].body).at("channel").as_string(), "C1");
}

TEST(slack, ok_false_is_a_failure_with_slacks_word) {
  FakeSlack slack;
  slack.answers["files.completeUploadExternal"] = R"({"ok":false,"error":"not_in_channel"})";
  auto sink = slack.sink(true, true);
  const auto result = deliver(*sink, sample());
  ASSERT_FALSE(result.has_value());
  EXPECT_TRUE(result.error().final);
  EXPECT_EQ(result.error().error.what, "Slack: files.completeUploadExternal: not_in_channel");
  EXPECT_NE(result.error().error.help, "");
  // Trying again does not post the message a second time.
  slack.answers.clear();
  ASSERT_TRUE(deliver(*sink, sample()).has_value());
  int posts = 0;
  for (const auto& seen : slack.server.seen()) posts += seen.path == "/services/T/B/x" ? 1 : 0;
  EXPECT_EQ(posts, 1);
}

TEST(slack, passing_and_lasting_failures_are_told_apart) {
  FakeSlack slack;
  auto sink = slack.sink(false, true);
  slack.answers["chat.postMessage"] = R"({"ok":false,"error":"ratelimited"})";
  EXPECT_FALSE(deliver(*sink, sample()).error().final);
  slack.answers["chat.postMessage"] = "<html>";
  EXPECT_FALSE(deliver(*sink, sample()).error().final);
  slack.answers["chat.postMessage"] = R"({"ok":"yes"})";
  EXPECT_FALSE(deliver(*sink, sample()).has_value());
  slack.answers["chat.postMessage"] = R"({"ok":true})";
  slack.answers["files.getUploadURLExternal"] =
      R"({"ok":true,"upload_url":"file:///etc/passwd","file_id":"F"})";
  EXPECT_TRUE(deliver(*sink, sample()).error().final);
  slack.webhook_status = 404;
  const auto gone = deliver(*slack.sink(true, false), sample());
  EXPECT_TRUE(gone.error().final);
  EXPECT_EQ(gone.error().error.what, "HTTP 404: no_service");
  EXPECT_EQ(describe(gone.error().error).find("/services"), std::string::npos);
  EXPECT_FALSE(make_slack({options(), "", "", "", "https://slack.com/api"}).has_value());
  EXPECT_FALSE(make_slack({options(), "", "xoxb", "", "https://slack.com/api"}).has_value());
}

// ---- PagerDuty ----------------------------------------------------------------------------------
TEST(pagerduty, change_event_always_and_an_alert_on_failure) {
  HttpServer server(
      [](const HttpSeen&) { return HttpReply{202, R"({"status":"success"})", "", 0, ""}; });
  auto sink = must(make_pagerduty({options(), "routingkey123", "hitless@ops", server.url()}));
  ASSERT_TRUE(deliver(*sink, sample(NotificationKind::succeeded)).has_value());
  ASSERT_EQ(server.seen().size(), 1u);
  EXPECT_EQ(server.seen()[0].path, "/v2/change/enqueue");
  ASSERT_TRUE(deliver(*sink, sample()).has_value());
  const auto seen = server.seen();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[1].path, "/v2/enqueue");
  const auto alert = json::parse(seen[1].body);
  EXPECT_EQ(alert.at("event_action").as_string(), "trigger");
  EXPECT_EQ(alert.at("dedup_key").as_string(), "hitless/R-7f3a/failed");
  EXPECT_EQ(alert.at("routing_key").as_string(), "routingkey123");
  EXPECT_EQ(alert.at("payload").at("severity").as_string(), "error");
  EXPECT_EQ(alert.at("payload").at("source").as_string(), "hitless@ops");
  EXPECT_EQ(alert.at("payload").at("custom_details").at("incident").as_string(), "INC-12");
  EXPECT_EQ(seen[2].path, "/v2/change/enqueue");
}

TEST(pagerduty, whole_urls_of_its_own) {
  HttpServer server([](const HttpSeen&) { return HttpReply{202, "{}", "", 0, ""}; });
  PagerDutyConfig config{options(), "routingkey123", "hitless", "http://127.0.0.1:1"};
  config.change_url = server.url() + "/changes?x=1";
  config.alert_url = server.url() + "/alerts";
  auto sink = must(make_pagerduty(config));
  ASSERT_TRUE(deliver(*sink, sample()).has_value());
  ASSERT_EQ(server.seen().size(), 2u);
  EXPECT_EQ(server.seen()[0].path, "/alerts");
  EXPECT_EQ(server.seen()[1].path, "/changes?x=1");
  config.change_url = "gopher://x";
  EXPECT_FALSE(make_pagerduty(config).has_value());
}

TEST(pagerduty, limits_and_wrong_answers) {
  int status = 400;
  HttpServer server(
      [&](const HttpSeen&) { return HttpReply{status, "bad routingkey123", "", 0, ""}; });
  auto sink = must(make_pagerduty({options(), "routingkey123", "hitless", server.url()}));
  auto n = sample();
  n.key = std::string(280, 'k');
  n.text = std::string(2'000'000, 'x');
  const auto refused = deliver(*sink, n);
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().final);
  EXPECT_EQ(refused.error().error.what.find("routingkey123"), std::string::npos);
  EXPECT_LT(server.seen()[0].body.size(), 512u * 1024);
  EXPECT_LE(json::parse(server.seen()[0].body).at("dedup_key").as_string().size(), 255u);
  status = 429;
  EXPECT_FALSE(deliver(*sink, n).error().final);
  EXPECT_FALSE(make_pagerduty({options(), "", "hitless", server.url()}).has_value());
}

// ---- SMTP ---------------------------------------------------------------------------------------
SmtpConfig mail_config(const std::string& url) {
  return {options(), url,  "hitless@example.org", {"ops@example.org", "ann@example.org"}, "",
          "",        false};
}

// What Python's email package makes of the message.
json::value parsed_by_python(const std::string& message) {
  const std::string out = python(R"(
import sys, email, email.policy, json, base64
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
parts = [{"type": p.get_content_type(), "name": p.get_filename() or "",
          "content": base64.b64encode(p.get_payload(decode=True)).decode()}
         for p in m.walk() if not p.is_multipart()]
print(json.dumps({"headers": {k: str(v) for k, v in m.items()}, "type": m.get_content_type(),
                  "defects": [str(d) for p in m.walk() for d in p.defects], "parts": parts}))
)",
                                 message);
  json::error_code error;
  auto tree = json::parse(out, error);
  EXPECT_FALSE(error) << out;
  return tree;
}

TEST(smtp, mail_arrives_whole) {
  SmtpServer server;
  auto sink = must(make_smtp(mail_config(server.url())));
  auto n = sample();
  n.title = "web é\r\nBcc: evil@example.org\r\n\r\nbody →";
  n.attachments[0].name = "audit\"\r\nX: y.jsonl";
  const auto result = deliver(*sink, n);
  ASSERT_TRUE(result.has_value()) << describe(result.error().error);
  const auto commands = server.commands();
  EXPECT_NE(std::find(commands.begin(), commands.end(), "MAIL FROM:<hitless@example.org>"),
            commands.end());
  EXPECT_NE(std::find(commands.begin(), commands.end(), "RCPT TO:<ann@example.org>"),
            commands.end());
  const std::string message = server.message();
  EXPECT_EQ(message.find("\nBcc:"), std::string::npos);
  for (const char c : message) EXPECT_TRUE((c >= ' ' && c <= '~') || c == '\r' || c == '\n');
  for (std::size_t at = 0; at < message.size();) {
    const auto end = message.find("\r\n", at);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - at, 998u);
    at = end + 2;
  }
  const auto mail = parsed_by_python(message);
  const auto& headers = mail.at("headers").as_object();
  EXPECT_EQ(mail.at("defects").as_array().size(), 0u) << json::serialize(mail);
  EXPECT_EQ(mail.at("type").as_string(), "multipart/mixed");
  EXPECT_EQ(headers.at("Subject").as_string(),
            "[hitless] web é\\r\\nBcc: evil@example.org\\r\\n\\r\\nbody →");
  EXPECT_EQ(headers.at("To").as_string(), "ops@example.org, ann@example.org");
  EXPECT_NE(headers.at("Message-ID").as_string().find("R-7f3a-failed"), std::string::npos);
  EXPECT_EQ(headers.at("In-Reply-To").as_string(), headers.at("References").as_string());
  ASSERT_EQ(mail.at("parts").as_array().size(), 2u);
  const auto text = decode_base64(mail.at("parts").at(0).at("content").as_string());
  EXPECT_NE(text->find("\n.\n..dots"), std::string::npos);
  EXPECT_EQ(text->find("hunter2secret"), std::string::npos);
  EXPECT_EQ(mail.at("parts").at(1).at("type").as_string(), "application/x-ndjson");
  EXPECT_EQ(mail.at("parts").at(1).at("name").as_string(), "audit---X--y.jsonl");
  EXPECT_EQ(decode_base64(mail.at("parts").at(1).at("content").as_string()), audit_log());
}

TEST(smtp, answers_of_the_server_are_classified) {
  const std::vector<std::pair<std::map<std::string, std::string>, bool>> cases = {
      {{{"RCPT", "550 no such user"}}, true},
      {{{"MAIL", "553 not you"}}, true},
      {{{".", "554 spam"}}, true},
      {{{"RCPT", "450 greylisted"}}, false},
      {{{"MAIL", "421 too busy"}}, false},
      {{{".", "452 disk full"}}, false},
      {{{"greeting", "421 later"}}, false},
  };
  for (const auto& [replies, final] : cases) {
    SmtpServer server(replies);
    auto sink = must(make_smtp(mail_config(server.url())));
    const auto result = deliver(*sink, sample());
    ASSERT_FALSE(result.has_value()) << replies.begin()->second;
    EXPECT_EQ(result.error().final, final)
        << replies.begin()->second << ": " << describe(result.error().error);
  }
  auto nobody = must(make_smtp(mail_config(fmt::format("smtp://127.0.0.1:{}", closed_port()))));
  const auto refused = deliver(*nobody, sample());
  ASSERT_FALSE(refused.has_value());
  EXPECT_FALSE(refused.error().final);
}

TEST(smtp, tls_is_required_unless_told_otherwise) {
  SmtpServer server;  // offers no STARTTLS
  auto config = mail_config(server.url());
  config.require_tls = true;
  const auto result = deliver(*must(make_smtp(config)), sample());
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(server.message(), "");
  config.require_tls = false;
  config.username = "u";
  config.password = "p";
  EXPECT_FALSE(make_smtp(config).has_value()) << "a password in the clear";
  EXPECT_FALSE(
      make_smtp({options(), "smtp://h", "a@b\r\nX: y", {"c@d"}, "", "", true}).has_value());
  EXPECT_FALSE(make_smtp({options(), "smtp://h", "a@b", {}, "", "", true}).has_value());
  EXPECT_FALSE(make_smtp({options(), "http://h", "a@b", {"c@d"}, "", "", true}).has_value());
}

// Python's own SMTP server as the other side.
TEST(smtp, pythons_smtpd_takes_it) {
  auto child = Child::start({"python3", "-W", "ignore", "-u", "-c", R"(
import smtpd, asyncore, sys
class S(smtpd.SMTPServer):
    def process_message(self, peer, mailfrom, rcpttos, data, **kw):
        sys.stdout.buffer.write(data); sys.stdout.buffer.flush(); sys.exit(0)
s = S(("127.0.0.1", 0), None)
print(s.socket.getsockname()[1])
asyncore.loop()
)"});
  ASSERT_TRUE(child.has_value()) << describe(child.error());
  std::string out;
  char chunk[65536];
  pollfd ready{child->out.get(), POLLIN, 0};
  while (out.find('\n') == std::string::npos && ::poll(&ready, 1, 15'000) == 1) {
    const ssize_t n = ::read(child->out.get(), chunk, sizeof chunk);
    if (n <= 0) break;
    out.append(chunk, static_cast<std::size_t>(n));
  }
  if (out.find('\n') == std::string::npos) GTEST_SKIP() << "this Python has no smtpd";
  auto sink = must(make_smtp(mail_config("smtp://127.0.0.1:" + out.substr(0, out.find('\n')))));
  static_cast<void>(deliver(*sink, sample()));  // the server leaves without a reply to DATA
  std::string message;
  while (::poll(&ready, 1, 15'000) == 1) {
    const ssize_t n = ::read(child->out.get(), chunk, sizeof chunk);
    if (n <= 0) break;
    message.append(chunk, static_cast<std::size_t>(n));
  }
  const auto mail = parsed_by_python(message);
  EXPECT_EQ(decode_base64(mail.at("parts").at(1).at("content").as_string()), audit_log());
}

}  // namespace
}  // namespace hitless::notify
