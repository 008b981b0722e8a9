// A FAPI authorization server that this project did not write (npm oidc-provider), set up for one test run.
//
// node authorization_server.mjs FOLDER PORT [nonce] [PROFILE]
//
// FOLDER holds server.pem, server.key, authority.pem, client.jwks and directory.jwks. One client for each security profile;
// whoever comes with a browser is signed in and consents at once. Clients register at /register (registration.mjs), and are
// then held to PROFILE. Prints "ready" when it listens.
import crypto from 'node:crypto'
import fs from 'node:fs'
import https from 'node:https'
import path from 'node:path'
import { Provider } from 'oidc-provider'
import { initialAccessToken, registration } from './registration.mjs'

const [folder, port, nonce, profile] = process.argv.slice(2)
const issuer = `https://127.0.0.1:${port}`
const read = (name) => fs.readFileSync(path.join(folder, name))
const resource = 'urn:example:payments'

const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
const signing = { ...privateKey.export({ format: 'jwk' }), kid: 'server-1', use: 'sig', alg: 'PS256' }

const anyone = {
  jwks: JSON.parse(read('client.jwks')),
  redirect_uris: ['https://127.0.0.1:1/banks/judge/return'],
  scope: 'openid payments',
  grant_types: ['authorization_code', 'client_credentials', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: 'PS256',
  id_token_signed_response_alg: 'PS256',
  authorization_signed_response_alg: 'PS256',
}
const bySigned = { require_signed_request_object: true, request_object_signing_alg: 'PS256' }
const byCertificate = { tls_client_certificate_bound_access_tokens: true }
const byKey = { dpop_bound_access_tokens: true }
const pushed = { require_pushed_authorization_requests: true, fapi: '2.0' }
const hybrid = { response_types: ['code id_token'], grant_types: [...anyone.grant_types, 'implicit'] }

const clients = [
  { client_id: 'fapi1_advanced', ...anyone, ...bySigned, ...byCertificate, ...hybrid, fapi: '1.0 Final' },
  { client_id: 'fapi1_advanced_jarm', ...anyone, ...bySigned, ...byCertificate, fapi: '1.0 Final' },
  { client_id: 'fapi2_mtls', ...anyone, ...pushed, ...byCertificate },
  { client_id: 'fapi2_dpop', ...anyone, ...pushed, ...byKey },
  { client_id: 'fapi2_message_signing', ...anyone, ...pushed, ...byKey, ...bySigned, response_modes: ['jwt'] },
]

const provider = new Provider(issuer, {
  clients,
  jwks: { keys: [signing] },
  scopes: ['openid', 'payments'],
  responseTypes: ['code', 'code id_token'],
  clientAuthMethods: ['private_key_jwt', 'tls_client_auth'],
  clockTolerance: 5,
  issueRefreshToken: () => true, // as UK banks do, without the scope offline_access
  rotateRefreshToken: () => true,
  extraClientMetadata: { properties: ['fapi'] },
  claims: { openid: ['sub', 'openbanking_intent_id'] },
  cookies: { keys: [crypto.randomBytes(16).toString('hex')] },
  routes: { registration: '/register' },
  interactions: { url: (_, interaction) => `/at-once/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, openbanking_intent_id: 'consent-1' }) }),
  features: {
    devInteractions: { enabled: false },
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    requestObjects: { enabled: true },
    jwtResponseModes: { enabled: true },
    fapi: { enabled: true, profile: (_, client) => client?.fapi },
    dPoP: { enabled: true, nonceSecret: crypto.randomBytes(32), requireNonce: () => nonce === 'nonce' },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      tlsClientAuth: true,
      getCertificate: (context) => context.socket.getPeerX509Certificate?.(),
      certificateAuthorized: (context) => context.socket.authorized,
      // node has one part of the name in a line, the widest first; RFC 4514 the narrowest first, with commas
      certificateSubjectMatches: (context, property, expected) =>
        property === 'tls_client_auth_subject_dn' &&
        context.socket.getPeerX509Certificate().subject.split('\n').reverse().join(',') === expected,
    },
    registration: { enabled: true, initialAccessToken },
    registrationManagement: { enabled: true, rotateRegistrationAccessToken: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'payments',
        audience: resource,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'PS256' } },
      }),
    },
  },
})

async function atOnce(request, response) {
  const { prompt, params } = await provider.interactionDetails(request, response)
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: 'customer' } })
  }
  const grant = new provider.Grant({ accountId: 'customer', clientId: params.client_id })
  grant.addOIDCScope('openid payments')
  grant.addOIDCClaims(['openbanking_intent_id'])
  grant.addResourceScope(resource, 'payments')
  const grantId = await grant.save()
  return provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true })
}

const answer = provider.callback()
// what a client of the profile does not say of itself when it registers: whatever it does say must come from there
const { authorization_signed_response_alg, ...held } = clients.find((client) => client.client_id === profile) ?? {}
const said = ['client_id', 'response_types', 'request_object_signing_alg', ...Object.keys(anyone)]
const policy = Object.fromEntries(Object.entries(held).filter(([name]) => !said.includes(name)))
const register = registration({
  issuer,
  ours: anyone.jwks,
  directory: JSON.parse(read('directory.jwks')),
  own: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: signing.kid }] },
  behind: answer,
  policy: { ...policy, authorization_signed_response_alg },
})
https
  .createServer(
    {
      cert: read('server.pem'),
      key: read('server.key'),
      ca: read('authority.pem'),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      const ours = [
        ['/at-once/', atOnce],
        ['/register', register],
      ]
      const [, door] = ours.find(([begins]) => request.url.startsWith(begins)) ?? []
      if (!door) return answer(request, response)
      door(request, response).catch((error) => {
        console.error(error)
        response.writeHead(500).end()
      })
    },
  )
  .listen(Number(port), '127.0.0.1', () => console.log('ready'))
