# Tests that are not unit tests: the shape of the tree, the demo, and rollouts on real hosts (root).
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(HITLESS_TEST_ENV "HITLESS_BIN=${CMAKE_BINARY_DIR}/hitless")

add_test(NAME structure COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/structure_test.py)
add_test(NAME demo COMMAND $<TARGET_FILE:hitless> demo --no-input)
set_tests_properties(demo PROPERTIES TIMEOUT 180 RUN_SERIAL ON LABELS slow)

# One file for each group of stories; each brings up its own lab and takes it down again.
file(GLOB HITLESS_E2E CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/e2e/*_test.py)
foreach(file IN LISTS HITLESS_E2E)
  get_filename_component(name ${file} NAME_WE)
  add_test(NAME e2e.${name} COMMAND ${Python3_EXECUTABLE} ${file})
  set_tests_properties(e2e.${name} PROPERTIES TIMEOUT 900 LABELS "lab;slow"
    ENVIRONMENT "${HITLESS_TEST_ENV}")
endforeach()

# Killed at a sample of the points of a rollout; at all of them with `./dev crash`.
add_test(NAME crash.matrix COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/crash/matrix.py --quick --points 2)
set_tests_properties(crash.matrix PROPERTIES TIMEOUT 900 LABELS "lab;slow" ENVIRONMENT "${HITLESS_TEST_ENV}")

# Four of the thirty incidents; all of them with `./dev eval`.
add_test(NAME eval.quick COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/eval/eval.py --quick)
set_tests_properties(eval.quick PROPERTIES TIMEOUT 600 LABELS "lab;slow" ENVIRONMENT "${HITLESS_TEST_ENV}")

# The command line as a user meets it: screens, errors, exit codes, streams. Needs no root.
file(GLOB HITLESS_CLI_TESTS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/cli/*_test.py)
foreach(file IN LISTS HITLESS_CLI_TESTS)
  get_filename_component(name ${file} NAME_WE)
  add_test(NAME cli.${name} COMMAND ${Python3_EXECUTABLE} ${file})
  set_tests_properties(cli.${name} PROPERTIES TIMEOUT 300 ENVIRONMENT "${HITLESS_TEST_ENV}")
endforeach()

# `ask` with a model behind it (a fake one that speaks both protocols). Needs no root.
add_test(NAME llm.model COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/llm/model_test.py)
set_tests_properties(llm.model PROPERTIES TIMEOUT 300 ENVIRONMENT "${HITLESS_TEST_ENV}")
# The same behind a fake of somebody else's making, from the npm registry.
add_test(NAME llm.aimock COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/llm/aimock_test.py)
set_tests_properties(llm.aimock PROPERTIES TIMEOUT 900 ENVIRONMENT "${HITLESS_TEST_ENV}")

# The AWS fake against the real `aws` command line, and rollouts over it and an HAProxy. Need no root.
add_test(NAME aws.fake COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/fakes/aws/awscli_test.py)
add_test(NAME aws.rollout COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/aws/rollout_test.py)
set_tests_properties(aws.fake aws.rollout PROPERTIES TIMEOUT 600 ENVIRONMENT "${HITLESS_TEST_ENV}")
# A rollout over the fakes of load balancers that cannot be installed here.
add_test(NAME lbs.rollout COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/fakes/lb/rollout_test.py)
set_tests_properties(lbs.rollout PROPERTIES TIMEOUT 600 ENVIRONMENT "${HITLESS_TEST_ENV}")

# Rollouts of a real PostgreSQL behind a real PgBouncer, under pgbench.
add_test(NAME postgres.rollout COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/postgres/rollout_test.py)
set_tests_properties(postgres.rollout PROPERTIES TIMEOUT 600 RUN_SERIAL ON LABELS slow ENVIRONMENT "${HITLESS_TEST_ENV}")

include(tests/certify/certify.cmake)
include(tests/conformance/conformance.cmake)
include(tests/mcp/mcp.cmake)

# Every bit and every length of a journal; here a sample, in full with `./dev journal-faults`.
add_executable(journal_faults ${CMAKE_SOURCE_DIR}/tests/journal/journal_faults.cpp)
target_link_libraries(journal_faults PRIVATE hitless_adapters_journal hitless_flags)
add_test(NAME journal.faults COMMAND journal_faults --quick)
set_tests_properties(journal.faults PROPERTIES TIMEOUT 300)
add_executable(journal_fixture ${CMAKE_SOURCE_DIR}/tests/journal/journal_fixture.cpp)
target_link_libraries(journal_fixture PRIVATE hitless_adapters_journal hitless_flags)

# docs/STATES.md against the core's transition table. Not in src/core: it reads a file.
add_executable(docs_tests ${CMAKE_SOURCE_DIR}/tests/docs/states_doc_test.cpp)
target_compile_definitions(docs_tests PRIVATE HITLESS_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
target_link_libraries(docs_tests PRIVATE hitless_core hitless_flags GTest::gtest GTest::gtest_main)
gtest_discover_tests(docs_tests DISCOVERY_MODE PRE_TEST TEST_PREFIX "docs.")
