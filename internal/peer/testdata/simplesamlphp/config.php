<?php
// SimpleSAMLphp as one organisation's identity provider, or as a service provider,
// in a folder of its own. settings.json beside this file is written by
// simplesamlphp.go and simplesamlphp_sp.go; sp/ holds the others' metadata.
$own = json_decode(file_get_contents(__DIR__ . '/settings.json'), true);
// Everybody whom the tests trust is a file of its own metadata.
$sources = [['type' => 'flatfile']];
foreach (glob(__DIR__ . '/sp/*.xml') as $file) {
    $sources[] = ['type' => 'xml', 'file' => $file];
}
$config = [
    'baseurlpath' => $own['base'] . '/',
    'certdir' => __DIR__ . '/',
    'loggingdir' => __DIR__ . '/',
    'datadir' => __DIR__ . '/data/',
    'tempdir' => __DIR__ . '/tmp/',
    'metadatadir' => __DIR__ . '/metadata/',
    'attributenamemapdir' => '/usr/share/simplesamlphp/config/attributemap/',
    'secretsalt' => 'only for tests',
    'auth.adminpassword' => 'only for tests',
    'technicalcontact_email' => 'na@example.org',
    'timezone' => 'UTC',
    'admin.checkforupdates' => false,
    'enable.saml20-idp' => !isset($own['idp']),
    'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
    'session.cookie.secure' => false,
    'session.cookie.samesite' => null,
    'session.phpsession.savepath' => __DIR__ . '/sessions',
    'language.cookie.secure' => false,
    'language.cookie.samesite' => null,
    'language.available' => ['en'],
    'language.default' => 'en',
    'logging.level' => SimpleSAML\Logger::INFO,
    'logging.handler' => 'errorlog',
    'logging.format' => '%level [%trackid] %msg',
    'debug' => ['saml' => false, 'backtraces' => true, 'validatexml' => false],
    'showerrors' => true,
    'errorreporting' => false,
    'production' => true,
    'theme.use' => 'default',
    'authproc.idp' => [],
    'authproc.sp' => [],
    'metadata.sources' => $sources,
    'store.type' => $own['store'] ?? 'phpsession',
    'store.sql.dsn' => 'sqlite:' . __DIR__ . '/data/store.sq3',
];
