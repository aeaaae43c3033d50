// The compiled half of Boost.Beast's HTTP parser, once for the whole program.
#define BOOST_BEAST_SEPARATE_COMPILATION  // also in http_server.cpp, the only user
#include <boost/beast/src.hpp>
