#include "adapters/journal/codec.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "adapters/journal/describe.hpp"

namespace hitless::journal {
namespace {

using namespace core;

// Fills any described value with random content, unpleasant text included.
class Filler {
 public:
  explicit Filler(unsigned seed) : random_(seed) {}

  void fill(bool& value) { value = pick(2) == 1; }
  void fill(std::int64_t& value) {
    value = static_cast<std::int64_t>(random_());
    if (pick(2) == 0) value %= 1000;
  }
  void fill(double& value) {
    static const std::array<double, 6> special = {0.0, -0.0, 3.0, 1e300, 5e-324, 0.1 + 0.2};
    value = pick(3) == 0 ? special[pick(6)] : static_cast<double>(random_()) / 997.0;
  }
  void fill(std::string& value) {
    static const std::array<std::string, 10> parts = {
        "web01",     "\"quoted\\\"",       std::string(1, '\0'), "\n\r\t\x1b[31m", "\x7f",
        "→ é 漢 🙂", "\u202e\u2028\u0085", "</script>",          "{\"type\":1}",   "a"};
    value.clear();
    for (std::size_t i = pick(4); i > 0; --i) value += parts[pick(parts.size())];
  }
  void fill(InstanceId& id) { fill(id.value); }
  template <class T>
  void fill(std::optional<T>& value) {
    value.reset();
    if (pick(2) == 1) fill(value.emplace());
  }
  template <class T>
  void fill(std::vector<T>& values) {
    values.resize(pick(4));
    for (T& value : values) fill(value);
  }
  template <class A, class B>
  void fill(std::pair<A, B>& value) {
    fill(value.first);
    fill(value.second);
  }
  template <class T>
  void fill(T& value) {
    if constexpr (std::is_enum_v<T>) {
      using All = boost::describe::describe_enumerators<T>;
      value = static_cast<T>(pick(boost::mp11::mp_size<All>::value));
    } else {
      using Members = boost::describe::describe_members<T, boost::describe::mod_public>;
      boost::mp11::mp_for_each<Members>([&](auto member) { fill(value.*member.pointer); });
    }
  }
  std::size_t pick(std::size_t n) { return random_() % n; }

 private:
  std::mt19937_64 random_;
};

// Equal in every field. The core's structs have no operator== of their own.
bool same(double a, double b) {
  return a == b && std::signbit(a) == std::signbit(b);
}
bool same(const InstanceId& a, const InstanceId& b) {
  return a == b;
}
template <class T>
bool same(const T& a, const T& b);
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](auto& x, auto& y) { return same(x, y); });
}
template <class T>
bool same(const std::optional<T>& a, const std::optional<T>& b) {
  return a.has_value() == b.has_value() && (!a.has_value() || same(*a, *b));
}
template <class A, class B>
bool same(const std::pair<A, B>& a, const std::pair<A, B>& b) {
  return same(a.first, b.first) && same(a.second, b.second);
}
template <class T>
bool same(const T& a, const T& b) {
  if constexpr (boost::describe::has_describe_members<T>::value && std::is_class_v<T>) {
    bool equal = true;
    using Members = boost::describe::describe_members<T, boost::describe::mod_public>;
    boost::mp11::mp_for_each<Members>(
        [&](auto member) { equal = equal && same(a.*member.pointer, b.*member.pointer); });
    return equal;
  } else {
    return a == b;
  }
}

template <class F>
void for_each_alternative(F f) {
  boost::mp11::mp_for_each<boost::mp11::mp_iota_c<std::variant_size_v<Event>>>(f);
}

TEST(codec, every_alternative_comes_back_unchanged) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Filler filler(seed);
    for_each_alternative([&](auto index) {
      Event event;
      auto& alternative = event.emplace<decltype(index)::value>();
      filler.fill(alternative);
      const std::string text = event_to_json(event);
      const auto back = event_from_json(text);
      ASSERT_TRUE(back.has_value()) << back.error().what << "\n" << text;
      ASSERT_EQ(back->index(), event.index());
      EXPECT_TRUE(same(std::get<decltype(index)::value>(*back), alternative)) << text;
      EXPECT_EQ(event_to_json(*back), text);
      EXPECT_EQ(text.find_first_of("\n\r\x1b\x7f"), std::string::npos);
      EXPECT_EQ(text.find("\u202e"), std::string::npos);
    });
  }
}

TEST(codec, every_enumerator_comes_back) {
  for (int i = 0; i < 11; ++i) {
    Effect effect;
    effect.kind = static_cast<EffectKind>(i);
    const auto back = event_from_json(event_to_json(EffectIntended{effect}));
    ASSERT_TRUE(back.has_value()) << back.error().what;
    EXPECT_EQ(std::get<EffectIntended>(*back).effect.kind, effect.kind);
  }
  for (int i = 0; i < 13; ++i) {
    const Advanced advanced{{"a"}, static_cast<PhaseName>(i), static_cast<PhaseName>(12 - i), ""};
    const auto back = event_from_json(event_to_json(advanced));
    ASSERT_TRUE(back.has_value()) << back.error().what;
    EXPECT_TRUE(same(std::get<Advanced>(*back), advanced));
  }
}

TEST(codec, text_is_canonical) {
  EXPECT_EQ(event_to_json(Noted{{"web@web01"}, "a\n\"b\"\x1b"}),
            R"({"type":"noted","instance":"web@web01","text":"a\u000a\"b\"\u001b"})");
  EXPECT_EQ(event_to_json(OperatorAsked{OperatorWish::force_drain, "ann"}),
            R"({"type":"operator_asked","wish":"force_drain","actor":"ann"})");
  EXPECT_EQ(kind_of(EffectIntended{}), "effect_intended");
}

TEST(codec, extra_fields_are_accepted) {
  const auto event = event_from_json(
      R"({"type":"halted","later":{"x":[1]},"reason":"r","roll_back":true,"blocked":false})");
  ASSERT_TRUE(event.has_value()) << event.error().what;
  EXPECT_EQ(std::get<Halted>(*event).reason, "r");
  EXPECT_TRUE(std::get<Halted>(*event).roll_back);
}

// A rollout that an earlier hitless was killed in must be resumed by this one.
TEST(codec, readings_of_earlier_journals_are_read) {
  core::TrafficSeen seen;
  seen.readings.emplace_back(core::InstanceId{"web@web01"}, core::TargetReading{});
  std::string text = event_to_json(core::Event(seen));
  for (const std::string field : {",\"by_hand\":false", ",\"standby\":false"}) {
    const std::size_t at = text.find(field);
    ASSERT_NE(at, std::string::npos) << text;
    text.erase(at, field.size());
  }
  const auto event = event_from_json(text);
  ASSERT_TRUE(event) << describe(event.error());
  EXPECT_FALSE(std::get<core::TrafficSeen>(*event).readings.front().second.by_hand);
}

TEST(codec, wrong_input_is_a_clear_error) {
  const auto problem = [](std::string_view text) {
    const auto event = event_from_json(text);
    return event ? std::string("accepted") : event.error().what;
  };
  EXPECT_EQ(problem(R"({"type":"exploded"})"), "unknown event type `exploded`");
  EXPECT_EQ(problem(R"({"reason":"r"})"), "not an event: no `type`");
  EXPECT_EQ(problem(R"([])"), "not an event: no `type`");
  EXPECT_EQ(problem(R"({"type":"halted","reason":"r","roll_back":true})"),
            "field `blocked` is missing");
  EXPECT_EQ(problem(R"({"type":"halted","reason":7,"roll_back":true,"blocked":false})"),
            "field `reason` is a number, not a string");
  EXPECT_EQ(problem(R"({"type":"operator_asked","wish":"explode","actor":""})"),
            "field `wish` has an unknown value `explode`");
  EXPECT_EQ(problem(R"({"type":"controller_took_over","epoch":1.5,"actor":""})"),
            "field `epoch` is a number, not a whole number");
  EXPECT_EQ(problem(R"({"type":"controller_took_over","epoch":99999999999999999999,"actor":""})"),
            "field `epoch` is a number, not a whole number");
  EXPECT_EQ(problem(R"({"type":"traffic_seen","readings":[["web@a"]]})"),
            "field `readings[0]` is a list, not a pair");
  EXPECT_TRUE(problem(R"({"type":"halted")").starts_with("not valid JSON at byte"));
  EXPECT_TRUE(problem(R"({"type":"noted"} {})").starts_with("not valid JSON at byte"));
  EXPECT_TRUE(problem(std::string(100'000, '[')).starts_with("not valid JSON at byte"));
  EXPECT_TRUE(problem(std::string(max_json_bytes + 1, ' ')).find("too long") != std::string::npos);
}

TEST(codec, every_prefix_and_flip_is_refused_or_read_without_harm) {
  Filler filler(7);
  EffectFinished finished;
  filler.fill(finished);
  const std::string text = event_to_json(finished);
  for (std::size_t n = 0; n < text.size(); ++n)
    EXPECT_FALSE(event_from_json(text.substr(0, n)).has_value());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x11);
    static_cast<void>(event_from_json(flipped));
  }
}

TEST(codec, text_from_hosts_cannot_make_an_entry_unreadable) {
  const Noted broken{{"a"}, "ok \xff\xfe\xc3 end"};
  const auto back = event_from_json(event_to_json(broken));
  ASSERT_TRUE(back.has_value()) << back.error().what;
  EXPECT_EQ(std::get<Noted>(*back).text, "ok \uFFFD\uFFFD\uFFFD end");
  const Noted huge{{"a"}, std::string(3 * max_string_bytes, 'x')};
  const auto cut = event_from_json(event_to_json(huge));
  ASSERT_TRUE(cut.has_value()) << cut.error().what;
  EXPECT_LE(std::get<Noted>(*cut).text.size(), max_string_bytes);
}

TEST(codec, plan_comes_back_and_its_hash_covers_every_field) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    Filler filler(seed);
    Plan plan;
    filler.fill(plan);
    const auto back = plan_from_json(plan_to_json(plan));
    ASSERT_TRUE(back.has_value()) << back.error().what;
    EXPECT_TRUE(same(*back, plan));
    EXPECT_EQ(hash_plan(*back), hash_plan(plan));
  }
  Plan plan;
  const std::string before = hash_plan(plan);
  plan.hash = before;
  EXPECT_EQ(hash_plan(plan), before);
  plan.policy.rejoin.max_error_ratio += 1e-9;
  EXPECT_NE(hash_plan(plan), before);
}

}  // namespace
}  // namespace hitless::journal
