// An app whose routes have policies by Nest's decorator, whose service invalidates, and whose guard reads a header outside of `vary`.
import 'reflect-metadata'
import { cacheCore } from '@x/cache-core'
import { cacheEdge } from '@x/cache-edge'
import { Controller, Get, Inject, Module, Post, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common'
import { HttpAdapterHost, NestFactory } from '@nestjs/core'
import { FastifyAdapter, RouteConfig, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'

class News {
  constructor (@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  async publish (): Promise<void> {
    await this.host.httpAdapter.getInstance<FastifyInstance>().cache.tags.invalidate('news')
  }
}

class NamedOnly implements CanActivate {
  canActivate (context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<FastifyRequest>().headers['x-name'] !== undefined
  }
}

let runs = 0

@Controller()
class NewsController {
  constructor (@Inject(News) private readonly news: News) {}

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

@Module({ controllers: [NewsController], providers: [News] })
class AppModule {}

const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter(), { logger: ['error'] })
await app.register(cacheCore, { implementation: 'memory' })
await app.register(cacheEdge)
await app.listen(3000)
