# The protocol against the official conformance suite, SDK clients and Inspector (docs/AGENT.md).
add_executable(hitless-mcp-fixture tests/mcp/main.cpp tests/mcp/fixture_offer.cpp
  tests/mcp/fixture_asking.cpp)
target_link_libraries(hitless-mcp-fixture PRIVATE hitless_mcp hitless_flags)
set_target_properties(hitless-mcp-fixture PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

# `hitless mcp` itself: tools, plans, approvals, rollouts and the kill switch over both transports, on a loopback fleet.
add_test(NAME agent.mcp COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/agent/mcp_test.py)
set_tests_properties(agent.mcp PROPERTIES TIMEOUT 300 ENVIRONMENT "${HITLESS_TEST_ENV}")

# `hitless watch --triggers` that acts, on the same fleet.
add_test(NAME agent.triggers COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/agent/triggers_test.py)
set_tests_properties(agent.triggers PROPERTIES TIMEOUT 300 ENVIRONMENT "${HITLESS_TEST_ENV}")

# Official clients and the conformance suite, from the npm registry; installed once, below the build folder.
add_test(NAME mcp.clients COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/mcp/clients_test.py)
set_tests_properties(mcp.clients PROPERTIES TIMEOUT 900 LABELS slow ENVIRONMENT "${HITLESS_TEST_ENV}")
