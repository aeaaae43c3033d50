// Memory of the simulator's program: small blocks come from free lists by size. A run makes and
// drops some thousand short-lived events, and the general allocator was an eighth of its time.
//
// Not for threads: the simulator has one. Left out under a sanitizer, which brings its own.
#include <array>
#include <cstddef>
#include <cstdlib>
#include <new>

#if !defined(__has_feature)
#define __has_feature(x) 0
#endif
#if !__has_feature(address_sanitizer) && !__has_feature(memory_sanitizer) && \
    !__has_feature(thread_sanitizer)
namespace {

constexpr std::size_t kGrain = 16, kLargest = 2'048, kChunk = 1U << 20U;

struct Free {
  Free* next;
};
// Before each block, so that it can be given back without its size.
struct alignas(kGrain) Head {
  std::size_t slot;  // of the free list; 0: not from one
};

std::array<Free*, kLargest / kGrain + 1> lists{};
std::byte* chunk = nullptr;
std::size_t left = 0;

void* allocate(std::size_t size) {
  const std::size_t slot = (size + kGrain - 1) / kGrain;
  if (slot == 0 || slot >= lists.size()) {
    auto* head = static_cast<Head*>(std::malloc(sizeof(Head) + size));
    if (head == nullptr) throw std::bad_alloc();
    head->slot = 0;
    return head + 1;
  }
  if (Free* block = lists[slot]; block != nullptr) {
    lists[slot] = block->next;
    return block;
  }
  const std::size_t whole = sizeof(Head) + slot * kGrain;
  if (left < whole) {
    chunk = static_cast<std::byte*>(std::malloc(kChunk));
    if (chunk == nullptr) throw std::bad_alloc();
    left = kChunk;
  }
  auto* head = new (chunk) Head{slot};
  chunk += whole;
  left -= whole;
  return head + 1;
}

void release(void* block) {
  if (block == nullptr) return;
  Head* head = static_cast<Head*>(block) - 1;
  if (head->slot == 0) return std::free(head);
  Free*& list = lists[head->slot];
  list = new (block) Free{list};
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}
void operator delete(void* block) noexcept {
  release(block);
}
void operator delete(void* block, std::size_t) noexcept {
  release(block);
}
#endif
