<?php
// SimpleSAMLphp as a service provider; settings.json is written by
// simplesamlphp_sp.go.
$own = json_decode(file_get_contents(__DIR__ . '/settings.json'), true);
$config = ['admin' => ['core:AdminPassword'], 'default-sp' => [
    'saml:SP',
    'idp' => $own['idp'],
    'privatekey' => 'key.pem',
    'certificate' => 'cert.pem',
    'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    'sign.authnrequest' => $own['SignRequests'],
    'sign.logout' => true,
    'validate.logout' => true,
    'WantAssertionsSigned' => true,
    'enable_unsolicited' => $own['Unsolicited'],
    'RelayState' => $own['base'] . '/',
    'NameIDPolicy' => $own['NameIDFormat'] ? ['Format' => $own['NameIDFormat'], 'AllowCreate' => !$own['NoCreate']] : [],
    'acs.Bindings' => [$own['acs']],
    'ProtocolBinding' => $own['acs'],
    'SingleLogoutServiceBinding' => $own['Logout'] ?? [],
    'proxymode.passAuthnContextClassRef' => false,
]];
