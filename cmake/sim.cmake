# The simulator (docs/SIMULATOR.md): the core's sources compiled a second time, with the switches for
# planted bugs in them, and the simulated world around it. Always optimised: it runs in every test.
find_package(fmt REQUIRED)
file(GLOB HITLESS_SIM_CORE CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/core/*.cpp)
list(FILTER HITLESS_SIM_CORE EXCLUDE REGEX "_test\\.cpp$")
file(GLOB HITLESS_SIM_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sim/*.cpp)
list(FILTER HITLESS_SIM_SOURCES EXCLUDE REGEX "/(main|memory)\\.cpp$")

set(HITLESS_SIM_ROOT ${CMAKE_BINARY_DIR}/sees/sim)
file(MAKE_DIRECTORY ${HITLESS_SIM_ROOT})
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/sim ${HITLESS_SIM_ROOT}/sim SYMBOLIC)

add_library(hitless_sim STATIC ${HITLESS_SIM_CORE} ${HITLESS_SIM_SOURCES})
target_include_directories(hitless_sim PUBLIC ${HITLESS_SIM_ROOT} ${CMAKE_BINARY_DIR}/sees/core)
target_compile_definitions(hitless_sim PUBLIC HITLESS_SIM=1)
target_compile_options(hitless_sim PUBLIC -O2)
target_link_libraries(hitless_sim PUBLIC fmt::fmt PRIVATE hitless_flags)

add_executable(hitless-sim sim/main.cpp sim/memory.cpp)
target_link_libraries(hitless-sim PRIVATE hitless_sim hitless_flags)
set_target_properties(hitless-sim PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

if(HITLESS_TESTS)
  add_test(NAME sim.seeds COMMAND hitless-sim --seeds 10000)
  add_test(NAME sim.regress COMMAND hitless-sim --regress ${CMAKE_SOURCE_DIR}/sim/regress/seeds.txt)
  add_test(NAME sim.planted COMMAND hitless-sim --planted)
  add_test(NAME sim.exhaustive COMMAND hitless-sim --exhaustive --faults 1)
  set_tests_properties(sim.seeds sim.regress sim.planted sim.exhaustive PROPERTIES TIMEOUT 300)
endif()
