# The layers, bottom up. SEES is the whole list of folders a layer may include from (arrows point down).
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(fmt REQUIRED)
find_package(Threads REQUIRED)
find_package(date REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(EXPAT REQUIRED)
set(Boost_NO_WARN_NEW_VERSIONS ON)
find_package(Boost 1.81 EXACT REQUIRED COMPONENTS json filesystem)
pkg_check_modules(YAMLCPP REQUIRED IMPORTED_TARGET yaml-cpp)

hitless_layer(base LINKS fmt::fmt OpenSSL::Crypto)
hitless_layer(runtime SEES base
  LINKS Boost::headers Boost::filesystem CURL::libcurl Threads::Threads)
target_compile_definitions(hitless_runtime PUBLIC
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_PROCESS_V2_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)

hitless_layer(confdiff SEES base)
hitless_layer(fleet SEES base confdiff LINKS PkgConfig::YAMLCPP Boost::json)
target_link_libraries(hitless_fleet PRIVATE date::date-tz)
hitless_layer(ports SEES base core runtime HEADERS_ONLY)

hitless_layer(adapters/host SEES ports)
hitless_layer(adapters/aws SEES base runtime LINKS Boost::json EXPAT::EXPAT)
hitless_layer(adapters/traffic SEES ports adapters/aws confdiff LINKS Boost::json)
hitless_layer(adapters/service SEES ports confdiff)
hitless_layer(adapters/health SEES ports LINKS Boost::json)
hitless_layer(adapters/notify SEES ports LINKS Boost::json)
hitless_layer(adapters/coordination SEES ports)
hitless_layer(adapters/watchdog SEES ports)
hitless_layer(adapters/journal SEES ports LINKS Boost::json SQLite::SQLite3)
# Their tests run on real hosts, and with a real HAProxy.
if(HITLESS_TESTS)
  foreach(name coordination watchdog traffic)
    if(TARGET hitless_adapters_${name}_tests)
      target_link_libraries(hitless_adapters_${name}_tests
        PRIVATE hitless_adapters_host hitless_adapters_traffic)
    endif()
  endforeach()
  target_link_libraries(hitless_adapters_traffic_tests PRIVATE hitless_adapters_host)
endif()
hitless_layer(witness SEES base core runtime LINKS Boost::json OpenSSL::SSL OpenSSL::Crypto)
hitless_layer(report SEES base core witness)

hitless_layer(agent SEES ports)
hitless_layer(llm SEES base runtime agent LINKS Boost::json)
hitless_layer(agent/tools SEES agent base runtime LINKS Boost::json)
hitless_layer(mcp SEES base runtime LINKS Boost::json)
hitless_layer(engine SEES ports confdiff)
hitless_layer(demo SEES base core runtime witness LINKS Boost::json OpenSSL::Crypto)
hitless_layer(cli SEES engine agent agent/tools llm mcp fleet confdiff witness report demo adapters/host adapters/traffic
  adapters/service
  adapters/health adapters/notify adapters/journal adapters/coordination adapters/watchdog
  LINKS Boost::json)

if(HITLESS_FAILPOINTS)
  target_compile_definitions(hitless_cli PRIVATE HITLESS_FAILPOINTS)
  set_source_files_properties(src/adapters/journal/planted.cpp PROPERTIES COMPILE_DEFINITIONS HITLESS_FAILPOINTS
    SKIP_PRECOMPILE_HEADERS ON)
endif()

if(EXISTS ${CMAKE_SOURCE_DIR}/src/main.cpp)
  add_executable(hitless src/main.cpp)
  target_link_libraries(hitless PRIVATE hitless_cli)
  set_target_properties(hitless PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endif()
