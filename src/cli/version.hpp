#pragma once
namespace hitless::cli {
inline constexpr const char* kVersion = "0.1.0";
}  // namespace hitless::cli
