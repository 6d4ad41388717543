<?php
// PHP's own web server takes a dot in the last part of the path for a file that
// must exist, and SimpleSAMLphp's addresses look like module.php/x/y.php.
$www = $_SERVER['DOCUMENT_ROOT'];
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (is_file($www . $path) && substr($path, -4) !== '.php') {
    return false;
}
if (in_array($path, ['/', '/login', '/logout', '/loggedout', '/refused'], true) && is_file(__DIR__ . '/pages.php')) {
    require __DIR__ . '/pages.php';
    return true;
}
if (!preg_match('#^(.*?\.php)(/.*)?$#', $path, $m) || !is_file($www . $m[1])) {
    http_response_code(404);
    return true;
}
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = $m[1];
$_SERVER['SCRIPT_FILENAME'] = $www . $m[1];
$_SERVER['PATH_INFO'] = $m[2] ?? '';
chdir(dirname($_SERVER['SCRIPT_FILENAME']));
require $_SERVER['SCRIPT_FILENAME'];
