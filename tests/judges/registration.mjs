// UK Open Banking registers by a JWT of our own with a directory's software statement in it (OBL DCR 3.4); oidc-provider
// takes JSON (RFC 7591), and knows neither statements nor that a registration is read with the client's own token.
//
// So this stands before its endpoint. It checks, as a bank must, who signed the JWT and the statement, and hands the claims
// to oidc-provider, which judges them as a client's metadata and afterwards holds the client to them. It adds what only the
// bank can know: the keys that the directory has of us, and the bank's policy. It judges nothing else.
import crypto from 'node:crypto'
import http from 'node:http'
import { createLocalJWKSet, jwtVerify } from 'jose'

// of the JWT, not of the client
const ABOUT_THE_REQUEST = ['iss', 'iat', 'exp', 'aud', 'jti', 'software_statement', 'software_id']

class Refused extends Error {
  constructor(error, text, status = 400) {
    super(text)
    Object.assign(this, { error, status })
  }
}

export const initialAccessToken = crypto.randomBytes(16).toString('hex')

export function registration({ issuer, ours, directory, own, behind, policy }) {
  const managing = new Map() // client_id → its registration access token
  const keys = Object.fromEntries(
    Object.entries({ ours, directory, own }).map(([name, jwks]) => [name, createLocalJWKSet(jwks)]),
  )

  const signed = async (text, key, how, error) => {
    try {
      return (await jwtVerify(text, keys[key], { algorithms: ['PS256'], ...how })).payload
    } catch (failure) {
      throw new Refused(error, failure.message)
    }
  }

  async function metadata(request) {
    if (!/^application\/(jwt|jose)$/.test(request.headers['content-type'] ?? '')) {
      throw new Refused('invalid_client_metadata', 'it must be application/jwt')
    }
    const text = (await Array.fromAsync(request)).join('')
    const claims = await signed(
      text,
      'ours',
      { audience: issuer, requiredClaims: ['iss', 'iat', 'exp', 'jti'] },
      'invalid_client_metadata',
    )
    const statement = await signed(claims.software_statement, 'directory', {}, 'invalid_software_statement')
    if (claims.iss !== statement.software_id) {
      throw new Refused('unapproved_software_statement', 'iss is not the software_id of the statement')
    }
    if (!claims.redirect_uris.every((uri) => statement.software_redirect_uris.includes(uri))) {
      throw new Refused('invalid_redirect_uri', 'not one of the statement')
    }
    const wanted = Object.fromEntries(Object.entries(claims).filter(([name]) => !ABOUT_THE_REQUEST.includes(name)))
    // OpenID Connect Registration §2 wants it for an id_token in the browser; OBL's file does not know the word
    const hybrid = wanted.response_types.includes('code id_token') ? ['implicit'] : []
    return { ...policy, ...wanted, grant_types: [...wanted.grant_types, ...hybrid], jwks: ours }
  }

  const inner = http.createServer(behind).listen(0, '127.0.0.1')

  async function handOver(method, path, token, body) {
    const text = body && JSON.stringify(body)
    const headers = { authorization: `Bearer ${token}`, ...(text && { 'content-type': 'application/json' }) }
    const { port } = inner.address()
    const answer = await new Promise((resolve, reject) => {
      http.request({ host: '127.0.0.1', port, method, path, headers }, resolve).on('error', reject).end(text)
    })
    return { status: answer.statusCode, text: (await Array.fromAsync(answer)).join('') }
  }

  async function answered(request) {
    if (request.method === 'POST') {
      const made = await handOver('POST', '/register', initialAccessToken, await metadata(request))
      if (made.status === 201) {
        const { client_id: client, registration_access_token: token } = JSON.parse(made.text)
        managing.set(client, token)
      }
      return made
    }
    const client = decodeURIComponent(request.url.split('/').at(-1))
    const token = (request.headers.authorization ?? '').split(' ')[1] ?? ''
    const { client_id: whose } = await signed(token, 'own', {}, 'invalid_token')
    if (whose !== client || !managing.has(client)) throw new Refused('invalid_token', 'of another client', 403)
    const body = request.method === 'PUT' ? { ...(await metadata(request)), client_id: client } : undefined
    return handOver(request.method, `/register/${client}`, managing.get(client), body)
  }

  return async (request, response) => {
    try {
      const { status, text } = await answered(request)
      response.writeHead(status, text ? { 'content-type': 'application/json' } : {}).end(text)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      const said = { error: error.error, error_description: error.message }
      response.writeHead(error.status, { 'content-type': 'application/json' }).end(JSON.stringify(said))
    }
  }
}
