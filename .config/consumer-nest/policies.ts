// An app whose routes have policies by Nest's decorator, whose service invalidates, and whose guard reads a header outside of `vary`.
import 'reflect-metadata'
import { cacheCore } from '@x/cache-core'
import { cacheEdge } from '@x/cache-edge'
import { Controller, Get, Injectable, Module, Post, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common'
import { HttpAdapterHost, NestFactory } from '@nestjs/core'
import { FastifyAdapter, RouteConfig, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'

class News {
  declare private readonly host: HttpAdapterHost
  constructor (host: HttpAdapterHost) { this.host = host }

  async publish (): Promise<void> {
    await this.host.httpAdapter.getInstance<FastifyInstance>().cache.tags.invalidate('news')
  }
}
// Without a parameter decorator and its metadata, Nest is told of the dependency as it is told in JavaScript.
Reflect.defineMetadata('design:paramtypes', [HttpAdapterHost], News)
Injectable()(News)

class NamedOnly implements CanActivate {
  canActivate (context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<FastifyRequest>().headers['x-name'] !== undefined
  }
}

let runs = 0

@Controller()
class NewsController {
  declare private readonly news: News
  constructor (news: News) { this.news = news }

  @Get('news')
  @RouteConfig({ cache: { store: true, tags: ['news'] } })
  read (): object { return { run: ++runs } }

  @Post('news')
  async publish (): Promise<string> {
    await this.news.publish()
    return 'published'
  }

  @Get('guarded')
  @UseGuards(NamedOnly)
  @RouteConfig({ cache: { store: true } })
  guarded (): string { return 'secret' }
}
Reflect.defineMetadata('design:paramtypes', [News], NewsController)

@Module({ controllers: [NewsController], providers: [News] })
class AppModule {}

const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter(), { logger: ['error'] })
await app.register(cacheCore, { implementation: 'memory' })
await app.register(cacheEdge)
await app.listen(3000)
