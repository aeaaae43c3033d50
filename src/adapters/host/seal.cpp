#include "adapters/host/seal.hpp"

#include "base/digest.hpp"

namespace hitless::host {

SealedScript seal_script(std::string_view script) {
  SealedScript sealed;
  sealed.encoded = base64(script);
  // What fails here must not look like a script that did its work.
  sealed.seal = "[ \"$(echo \"$1\"|sha256sum)\" = \"" + sha256_hex(sealed.encoded + "\n") +
                "  -\" ]||exit 125;_s=$(echo \"$1\"|base64 -d)||exit 125;shift;eval \"$_s\"";
  return sealed;
}

bool is_script(const std::vector<std::string>& argv) {
  return argv.size() >= 3 && argv[0] == "sh" && argv[1] == "-c";
}

std::vector<std::string> seal_argv(std::vector<std::string> argv) {
  if (!is_script(argv)) return argv;
  SealedScript sealed = seal_script(argv[2]);
  argv[2] = std::move(sealed.seal);
  if (argv.size() == 3) argv.emplace_back("sh");
  argv.insert(argv.begin() + 4, std::move(sealed.encoded));
  return argv;
}

}  // namespace hitless::host
