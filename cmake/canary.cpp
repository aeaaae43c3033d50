// Four coroutine patterns that g++ 12 gets wrong. Exit 0: this compiler gets them right.
#include <coroutine>
#include <memory>
#include <string>
#include <utility>
#include <vector>

static int live_objects = 0;

struct Counted {
  Counted() { ++live_objects; }
  Counted(const Counted&) { ++live_objects; }
  Counted(Counted&&) noexcept { ++live_objects; }
  Counted& operator=(const Counted&) = default;
  ~Counted() { --live_objects; }
};

struct Task {
  struct promise_type {
    int value = 0;
    std::coroutine_handle<> waiter;
    Task get_return_object() {
      return Task{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> h) noexcept {
        return h.promise().waiter ? h.promise().waiter : std::noop_coroutine();
      }
      void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    void return_value(int v) { value = v; }
    void unhandled_exception() { std::terminate(); }
  };
  explicit Task(std::coroutine_handle<promise_type> h) : handle(h) {}
  Task(Task&& other) noexcept : handle(std::exchange(other.handle, {})) {}
  ~Task() {
    if (handle) handle.destroy();
  }
  bool await_ready() { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) {
    handle.promise().waiter = h;
    return handle;
  }
  int await_resume() { return handle.promise().value; }
  int run() {
    handle.resume();
    return handle.promise().value;
  }
  std::coroutine_handle<promise_type> handle;
};

struct Options {
  Counted counted;
  std::vector<std::string> words;
};

static Task number(int n) {
  co_return n;
}
static Task take(Options o) {
  co_return static_cast<int>(o.words.size());
}
template <class F>
static Task call(F f) {
  co_return f();
}
static Task pick(std::string s) {
  co_return static_cast<int>(s.size());
}

static Task in_condition() {
  if (co_await number(1) == 1) co_return 1;
  co_return 0;
}
static Task with_lambda() {
  auto kept = std::make_shared<Counted>();
  co_return co_await call([kept] { return 1; });
}
static Task with_choice(bool flag) {
  co_return co_await pick(flag ? std::string("a") : std::string("bb"));
}
static Task with_braces() {
  co_return co_await take(Options{Counted{}, {"a", "b"}});
}

int main() {
  bool ok = in_condition().run() == 1 && with_lambda().run() == 1 && with_choice(true).run() == 1 &&
            with_braces().run() == 2;
  return ok && live_objects == 0 ? 0 : 1;
}
