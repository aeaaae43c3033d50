# The scale bench (docs/PERFORMANCE.md): the real engine and journal, simulated hosts. Built on demand.
add_executable(hitless_scale EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/scale.cpp)
target_link_libraries(hitless_scale PRIVATE hitless_engine hitless_adapters_journal hitless_flags)
target_precompile_headers(hitless_scale PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.hpp)
set_target_properties(hitless_scale PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
