/** A small set of emoji with words to find them by. */
export interface Emoji {
  emoji: string;
  words: string;
}

const SET = `
👍 yes good like agree
👎 no bad dislike
❤️ love heart red
😂 laugh tears joy funny
😮 wow surprised
😢 sad cry tear
🙏 thanks please pray
🎉 party celebrate congratulations
🔥 fire hot great
👏 clap applause bravo
✅ done check yes
👀 look eyes see
😀 grin happy smile
😄 happy smile laugh
😁 beam grin teeth
😅 sweat relief nervous
🤣 rolling laugh floor
😊 blush smile warm
🙂 smile slight
🙃 upside down irony
😉 wink
😍 love eyes heart
🥰 love hearts affection
😘 kiss
😋 yum tasty
😜 tongue wink silly
🤪 crazy silly
🤗 hug
🤔 think hmm
🤫 quiet secret
😐 neutral meh
🙄 eyes roll
😏 smirk
😌 relieved calm
😴 sleep tired
🤤 drool
😷 mask sick
🤒 ill fever
🤯 mind blown
🥳 party hat birthday
😎 cool sunglasses
🤓 nerd glasses
😕 confused
🙁 frown sad
😳 flushed embarrassed
🥺 please puppy eyes
😨 fear scared
😭 sob cry loud
😱 scream shock
😤 huff triumph
😡 angry mad
🤬 swear curse
💀 skull dead
💩 poo
🤖 robot
👻 ghost
🙈 monkey see no evil
💯 hundred perfect
💔 broken heart
🧡 orange heart
💛 yellow heart
💚 green heart
💙 blue heart
💜 purple heart
🖤 black heart
💥 boom explosion
✨ sparkles shiny new
⭐ star
👋 wave hello bye
🤚 hand stop
👌 ok perfect
✌️ peace victory
🤞 fingers crossed luck
🤟 love you hand
🤘 rock horns
👈 left point
👉 right point
👆 up point
👇 down point
✊ fist
👊 punch bump
🤝 handshake deal
🙌 hooray hands raised
💪 strong muscle
🤷 shrug dunno
🤦 facepalm
🙋 raise hand question
🏃 run hurry
💃 dance
🐶 dog
🐱 cat
🦊 fox
🐻 bear
🐼 panda
🦁 lion
🐸 frog
🦄 unicorn
🐝 bee
🦋 butterfly
🐢 turtle slow
🌸 blossom flower
🌹 rose
🌻 sunflower
🌳 tree
🌍 earth world
🌙 moon night
☀️ sun weather
🌧️ rain weather
❄️ snow cold
🌈 rainbow
🍎 apple
🍓 strawberry
🍕 pizza
🍔 burger
🍜 noodles ramen
🍣 sushi
🍰 cake
🍪 cookie
☕ coffee tea
🍺 beer cheers
🍷 wine
🥂 toast cheers
⚽ football soccer
🏀 basketball
🎾 tennis
🎮 game
🎸 guitar music
🎵 note music
🎬 film movie
📷 camera photo
✈️ plane travel
🚗 car
🚲 bicycle
🚀 rocket launch ship
🏠 house home
🏖️ beach holiday
⏰ alarm clock time
📅 calendar date
📌 pin
📎 paperclip
✏️ pencil write
📚 books read
💡 idea bulb
🔒 lock secure
🔑 key
🐛 bug
🛠️ tools fix
💻 laptop computer
📱 phone
📧 mail
📈 up chart growth
💰 money
🎁 gift present
🎂 birthday cake
🏆 trophy win
❓ question
❗ important exclamation
❌ no wrong cross
⚠️ warning
⏳ wait hourglass
➕ plus add
🆗 ok
🏁 finish flag
`;

export const EMOJI: readonly Emoji[] = SET.trim()
  .split('\n')
  .map((line) => ({ emoji: line.slice(0, line.indexOf(' ')), words: line.slice(line.indexOf(' ') + 1) }));

export function findEmoji(query: string): readonly Emoji[] {
  const wanted = query.trim().toLowerCase();
  if (wanted === '') return EMOJI;
  return EMOJI.filter(
    ({ emoji, words }) => emoji === wanted || words.split(' ').some((word) => word.startsWith(wanted)),
  );
}
