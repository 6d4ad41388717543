<?php
// The pages of an application that signs people in with SimpleSAMLphp.
require_once '/usr/share/simplesamlphp/lib/_autoload.php';

$own = json_decode(file_get_contents(__DIR__ . '/settings.json'), true);
$base = $own['base'];
$sp = new SimpleSAML\Auth\Simple('default-sp');

function tell(int $status, array $page): void
{
    http_response_code($status);
    header('Content-Type: application/json');
    echo json_encode($page);
}

function status(array $codes): array
{
    return array_values(array_filter($codes));
}

switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/login':
        $ask = ['ReturnTo' => $base . '/', 'ErrorURL' => $base . '/refused'];
        if ($own['ForceAuthn']) {
            $ask['ForceAuthn'] = true;
        }
        if ($own['IsPassive']) {
            $ask['isPassive'] = true;
        }
        if ($own['AuthnContext']) {
            $ask['saml:AuthnContextClassRef'] = $own['AuthnContext'];
        }
        $sp->login($ask);
        break;
    case '/refused':
        $state = SimpleSAML\Auth\State::loadExceptionState();
        $why = $state[SimpleSAML\Auth\State::EXCEPTION_DATA];
        $codes = $why instanceof SimpleSAML\Module\saml\Error ? [$why->getStatus(), $why->getSubStatus()] : [];
        tell(403, ['error' => get_class($why) . ': ' . $why->getMessage(), 'status' => status($codes)]);
        break;
    case '/logout':
        $sp->logout(['ReturnTo' => $base . '/loggedout', 'ReturnStateParam' => 'LogoutState', 'ReturnStateStage' => 'ended']);
        break;
    case '/loggedout':
        $state = SimpleSAML\Auth\State::loadState($_REQUEST['LogoutState'], 'ended');
        $said = $state['saml:sp:LogoutStatus'] ?? null;
        if ($said === null) {
            tell(200, ['loggedOut' => false, 'error' => 'the identity provider was not asked']);
            break;
        }
        $good = $said['Code'] === 'urn:oasis:names:tc:SAML:2.0:status:Success';
        tell($good ? 200 : 403, [
            'loggedOut' => $good && !$sp->isAuthenticated(),
            'error' => $good ? '' : (string) $said['Message'],
            'status' => status([$said['Code'], $said['SubCode']]),
        ]);
        break;
    default:
        if (!$sp->isAuthenticated()) {
            tell(401, ['error' => 'nobody is signed in']);
            break;
        }
        $nameID = $sp->getAuthData('saml:sp:NameID');
        tell(200, [
            'issuer' => $sp->getAuthData('saml:sp:IdP'),
            'nameID' => $nameID->getValue(),
            'nameIDFormat' => $nameID->getFormat() ?? '',
            'sessionIndex' => $sp->getAuthData('saml:sp:SessionIndex') ?? '',
            'authnContext' => $sp->getAuthData('saml:sp:AuthnContext') ?? '',
            'attributes' => (object) $sp->getAttributes(),
        ]);
}
