<?php
// The people, from users.json: name, password, attributes.
$people = ['exampleauth:UserPass'];
foreach (json_decode(file_get_contents(__DIR__ . '/users.json'), true) as $user) {
    $people[$user['name'] . ':' . $user['password']] = $user['attributes'];
}
$config = ['admin' => ['core:AdminPassword'], 'example-userpass' => $people];
