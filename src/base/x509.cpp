#include "base/x509.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "base/digest.hpp"

namespace hitless {
namespace {

constexpr std::size_t kMaxPemBytes = 256u << 10;
constexpr int kMaxNames = 500;

template <auto release>
struct Release {
  template <class T>
  void operator()(T* value) const {
    release(value);
  }
};

void free_names(GENERAL_NAMES* names) {
  GENERAL_NAMES_free(names);
}

std::string text_of(const ASN1_STRING* value) {
  const int length = ASN1_STRING_length(value);
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
          static_cast<std::size_t>(std::max(0, length))};
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  const std::unique_ptr<GENERAL_NAMES, Release<free_names>> all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = all ? std::min(sk_GENERAL_NAME_num(all.get()), kMaxNames) : 0;
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type == GEN_DNS) names.push_back("dns:" + text_of(name->d.dNSName));
    if (name->type == GEN_IPADD) names.push_back("ip:" + text_of(name->d.iPAddress));
  }
  if (names.empty()) {
    char common[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common,
                              sizeof common);
    if (common[0] != '\0') names.push_back(std::string("cn:") + common);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<TimeMs> time_of(const ASN1_TIME* time) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return static_cast<TimeMs>(timegm(&parts)) * 1000;
}

}  // namespace

Result<CertificateFacts> read_certificate(std::string_view pem) {
  pem = pem.substr(0, kMaxPemBytes);
  const std::unique_ptr<BIO, Release<BIO_free_all>> in(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<X509, Release<X509_free>> certificate(
      in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!certificate) return fail(ErrorCode::invalid, "there is no certificate in it");
  const auto from = time_of(X509_get0_notBefore(certificate.get()));
  const auto to = time_of(X509_get0_notAfter(certificate.get()));
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate.get(), &der);
  if (!from || !to || size <= 0)
    return fail(ErrorCode::invalid, "the certificate's times cannot be read");
  CertificateFacts facts{
      sha256_hex({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)}), *from, *to,
      names_of(certificate.get())};
  OPENSSL_free(der);
  return facts;
}

}  // namespace hitless
