# hitless-conformance: every traffic driver against the same properties (./dev conformance;
# docs/CONFORMANCE.md).
file(GLOB HITLESS_CONFORMANCE CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/conformance/*.cpp)
add_executable(hitless-conformance ${HITLESS_CONFORMANCE})
target_include_directories(hitless-conformance PRIVATE ${CMAKE_SOURCE_DIR}/tests/conformance
  ${CMAKE_SOURCE_DIR}/tests/support)
target_link_libraries(hitless-conformance PRIVATE hitless_adapters_traffic hitless_adapters_host hitless_flags)
target_compile_definitions(hitless-conformance PRIVATE
  HITLESS_SOURCE_DIR="${CMAKE_SOURCE_DIR}" HITLESS_BINARY_DIR="${CMAKE_BINARY_DIR}")
target_precompile_headers(hitless-conformance PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.hpp)
add_test(NAME conformance COMMAND hitless-conformance --doc ${CMAKE_SOURCE_DIR}/docs/CONFORMANCE.md)
set_tests_properties(conformance PROPERTIES TIMEOUT 600 LABELS slow)
