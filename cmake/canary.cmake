# g++ 12 miscompiles four common coroutine patterns (docs/adr/0001). A compiler that fails this small
# program under the flags we use is refused here, not found out in production.
if(NOT DEFINED HITLESS_CANARY_RUN)
  try_run(HITLESS_CANARY_RUN HITLESS_CANARY_BUILD ${CMAKE_BINARY_DIR}/canary
    ${CMAKE_SOURCE_DIR}/cmake/canary.cpp CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON
    COMPILE_OUTPUT_VARIABLE HITLESS_CANARY_OUTPUT)
endif()
if(NOT HITLESS_CANARY_BUILD OR NOT HITLESS_CANARY_RUN EQUAL 0)
  message(FATAL_ERROR "This compiler (${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}) "
    "miscompiles or refuses C++20 coroutines that hitless uses (cmake/canary.cpp, result "
    "'${HITLESS_CANARY_RUN}'). Use clang 19: cmake --preset release, or ./dev build.\n${HITLESS_CANARY_OUTPUT}")
endif()
